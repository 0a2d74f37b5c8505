-- The nodes that have a place, and what they run.
-- KEYS: none. ARGV: prefix, most nodes, most jobs of each
-- Returns {now_ms, {wid, name, host, pid, queues, slots, since_ms, beat_ms,
-- 1 where it drains, messages held, {id, task, began_ms of each ...}} ...}
local p = ARGV[1]
local t = redis.call('TIME')
local out = {t[1] * 1000 + math.floor(t[2] / 1000)}

local function jobs_of(own)
  local held, jobs = 0, {}
  for _, n in ipairs(redis.call('HKEYS', own)) do
    if string.sub(n, -1) ~= 'i' then
      held = held + 1
    elseif #jobs < 3 * tonumber(ARGV[3]) then
      local id = redis.call('HGET', own, n)
      local h = redis.call('HMGET', p .. 'job:' .. id, 'task', 'began')
      local at = #jobs
      jobs[at + 1], jobs[at + 2], jobs[at + 3] = id, h[1] or '', h[2] or '0'
    end
  end
  return held, jobs
end

local all = redis.call('ZRANGE', p .. 'w', 0, ARGV[2] - 1, 'WITHSCORES')
for i = 1, #all, 2 do
  local wid = all[i]
  local h = redis.call('HMGET', p .. 'winfo:' .. wid, 'name', 'host', 'pid',
    'queues', 'slots', 'since', 'drain')
  local row = {wid}
  for k = 1, 6 do
    row[k + 1] = h[k] or ''
  end
  row[8], row[9] = all[i + 1], h[7] or '0'
  row[10], row[11] = jobs_of(p .. 'proc:' .. wid)
  out[#out + 1] = row
end
return out
