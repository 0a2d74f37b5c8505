-- Take messages from the ready lists and begin their jobs, all in one step: a
-- message is never outside Redis, and a plain one costs a single trip. It is
-- held under a number in the hash proc:<wid> as list, line feed, message; the
-- field <number>i is its job once that is begun.
-- KEYS: ready lists, in the order to be served. ARGV: prefix, wid, ttl_s,
-- count, number of the first one taken, then number, id, try, task of each
-- message that is held already and is to be begun.
-- Returns {now_ms, word for each held one ..., list, message, word for each one
-- taken ...}, {-1} where the caller has lost its place. Words: GO; LOOK: not
-- begun, the caller must look at the message; CANCELLED: revoked before it
-- began; DUP: this try is settled, or somebody who still has a place runs it;
-- FENCED: the message is not the caller's.
-- Lists of a queue in the hash pause are left alone.
local p, wid, want = ARGV[1], ARGV[2], tonumber(ARGV[4])
local own = p .. 'proc:' .. wid
if not redis.call('ZSCORE', p .. 'w', wid) then
  return {-1}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)

local function begin(src, id, try, task)
  local job = p .. 'job:' .. id
  local h = redis.call('HMGET', job, 'owner', 'owner_try', 'settled_try',
    'starts')
  if h[3] and tonumber(h[3]) >= try then
    return 'DUP'
  end
  if h[1] and h[1] ~= '' and tonumber(h[2]) >= try
      and redis.call('ZSCORE', p .. 'w', h[1]) then
    return 'DUP'
  end
  if redis.call('EXISTS', p .. 'cancel:' .. id) == 1 then
    return 'CANCELLED'
  end
  redis.call('HSET', job, 'state', 'running', 'owner', wid, 'owner_try', try,
    'task', task, 'queue', src, 'starts', (h[4] or 0) + 1, 'began', now)
  redis.call('EXPIRE', job, ARGV[3])
  return 'GO'
end

-- Headers that are enough to begin a job; false: a time must be looked at, or
-- something is unusual.
local function plain(raw)
  local none = cjson.null
  local ok, m = pcall(cjson.decode, #raw < 65536 and raw or '')
  local h = ok and type(m) == 'table' and m.headers
  return type(h) == 'table' and type(h.id) == 'string' and #h.id > 0
    and #h.id <= 200 and type(h.task) == 'string'
    and (h.eta or none) == none and (h.expires or none) == none
    and type(h.retries or 0) == 'number' and h
end

local function unpaused(lists)
  local out = {}
  for _, list in ipairs(lists) do
    local queue = string.match(list, '^(.-)\6\22') or list
    if redis.call('HEXISTS', p .. 'pause', queue) == 0 then
      out[#out + 1] = list
    end
  end
  return out
end

local out = {now}
for i = 6, #ARGV, 4 do
  local n, id = ARGV[i], ARGV[i + 1]
  local held = redis.call('HGET', own, n)
  out[#out + 1] = held and begin(string.match(held, '^[^\n]*'), id,
    tonumber(ARGV[i + 2]), ARGV[i + 3]) or 'FENCED'
  if out[#out] == 'GO' then
    redis.call('HSET', own, n .. 'i', id)
  end
end

local lists = KEYS
if want > 0 and redis.call('EXISTS', p .. 'pause') == 1 then
  lists = unpaused(KEYS)
end
local number, pop = tonumber(ARGV[5]), {'LMPOP', #lists, unpack(lists)}
pop[#lists + 3], pop[#lists + 4] = 'RIGHT', 'COUNT'
while want > 0 and #lists > 0 do
  pop[#lists + 5] = want
  local got = redis.call(unpack(pop))
  if not got then
    break
  end
  for _, raw in ipairs(got[2]) do
    local h = plain(raw)
    local word = h and begin(got[1], h.id, h.retries or 0, h.task) or 'LOOK'
    local field = {number, got[1] .. '\n' .. raw}
    if word == 'GO' then
      field[3], field[4] = number .. 'i', h.id
    end
    redis.call('HSET', own, unpack(field))
    out[#out + 1], out[#out + 2], out[#out + 3] = got[1], raw, word
    number, want = number + 1, want - 1
  end
end
return out
