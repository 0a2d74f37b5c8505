-- Revoke a job. The mark outlives restarts and the time the job waits for.
-- KEYS: none. ARGV: prefix, id, result, result_ttl_s
-- Returns the job's state before, or 'unknown'.
local p, id = ARGV[1], ARGV[2]
local job = p .. 'job:' .. id
local h = redis.call('HMGET', job, 'state', 'due')
local t = redis.call('TIME')
local wait = math.max(0, tonumber(h[2] or 0) / 1000 - t[1])
redis.call('SET', p .. 'cancel:' .. id, 1, 'EX', 604800 + math.floor(wait))
if h[1] == 'queued' or h[1] == 'scheduled' then
  local key = 'celery-task-meta-' .. id
  redis.call('SETEX', key, ARGV[4], ARGV[3])
  redis.call('PUBLISH', key, ARGV[3])
end
return h[1] or 'unknown'
