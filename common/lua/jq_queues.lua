-- What waits, by queue.
-- KEYS: none. ARGV: prefix, queue ...
-- Returns {now_ms, scheduled, dead, {depth of each of the four lists, ms for
-- which the one served next has waited or -1, paused since ms or 0} ...}
-- A message of ours says when it was pushed. Of another one it is kept when it
-- was first seen here: that is the least it can be, and may be lost.
local p = ARGV[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function first_seen(list, raw)
  local key, mark = p .. 'seen:' .. list, redis.sha1hex(raw)
  local kept = redis.call('GET', key)
  if kept and string.sub(kept, 1, 40) == mark then
    return tonumber(string.sub(kept, 42)) or now
  end
  redis.set_repl(redis.REPL_NONE)
  redis.call('SET', key, mark .. ' ' .. now, 'EX', 86400)
  return now
end

local function waited(list)
  local raw = redis.call('LINDEX', list, -1)
  if not raw then
    return -1
  end
  local ok, m = pcall(cjson.decode, #raw <= 65536 and raw or '')
  local h = ok and type(m) == 'table' and m.headers
  h = type(h) == 'table' and h or {}
  local since = tonumber(h['x-enq-ms'])
  if not since then
    since = first_seen(list, raw)
  elseif type(h.id) == 'string' then
    local due = redis.call('HGET', p .. 'job:' .. h.id, 'due')
    since = math.max(since, tonumber(due or 0) or 0)
  end
  return math.max(0, now - since)
end

local out = {now, redis.call('ZCARD', p .. 'sched'),
  redis.call('ZCARD', p .. 'dead')}
for i = 2, #ARGV do
  local row, oldest = {}, -1
  for step = 0, 9, 3 do
    local list = ARGV[i] .. (step > 0 and '\6\22' .. step or '')
    row[#row + 1] = redis.call('LLEN', list)
    oldest = math.max(oldest, waited(list))
  end
  row[5] = oldest
  row[6] = redis.call('HGET', p .. 'pause', ARGV[i]) or '0'
  out[#out + 1] = row
end
return out
