-- Revoke a job. The mark outlives restarts and the time the job waits for. Its
-- value: 1 where a job that runs is to be stopped, 0 where it may go on.
-- KEYS: none. ARGV: prefix, id, result, result_ttl_s, stop (1 or 0)
-- The last of those that were revoked are kept to be looked at.
-- Returns the job's state before, or 'unknown'.
local p, id = ARGV[1], ARGV[2]
local job, mark = p .. 'job:' .. id, p .. 'cancel:' .. id
local h = redis.call('HMGET', job, 'state', 'due')
local t = redis.call('TIME')
local wait = math.max(0, tonumber(h[2] or 0) / 1000 - t[1])
local stop = ARGV[5] == '0' and redis.call('GET', mark) or ARGV[5] or '1'
redis.call('SET', mark, stop, 'EX', 604800 + math.floor(wait))
redis.call('ZADD', p .. 'cancels', t[1] * 1000 + math.floor(t[2] / 1000), id)
redis.call('ZREMRANGEBYRANK', p .. 'cancels', 0, -1001)
redis.call('EXPIRE', p .. 'cancels', 604800)
if h[1] == 'queued' or h[1] == 'scheduled' then
  local key = 'celery-task-meta-' .. id
  redis.call('SETEX', key, ARGV[4], ARGV[3])
  redis.call('PUBLISH', key, ARGV[3])
end
return h[1] or 'unknown'
