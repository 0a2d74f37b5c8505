-- Push a message once: its job record and its place are made together.
-- KEYS: none. ARGV: prefix, id, list, raw, due_ms (0: now), task, queue
-- Returns {1, state} where it was pushed, {0, state} where the id is known.
local p, id, list = ARGV[1], ARGV[2], ARGV[3]
local job = p .. 'job:' .. id
local due = tonumber(ARGV[5])
local known = redis.call('HGET', job, 'state')
if known then
  return {0, known}
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local state = due > now and 'scheduled' or 'queued'
redis.call('HSET', job, 'state', state, 'task', ARGV[6], 'queue', ARGV[7],
  'due', due, 'first_seen', now)
redis.call('EXPIRE', job, 604800 + math.max(0, math.floor((due - now) / 1000)))
if state == 'scheduled' then
  redis.call('ZADD', p .. 'sched', due, list .. string.char(10) .. ARGV[4])
else
  redis.call('LPUSH', list, ARGV[4])
end
return {1, state}
