-- Publish what a running job has to say, if it is still the caller's.
-- KEYS: none. ARGV: prefix, wid, id, try, result, result_ttl_s
-- Returns 1; 0: refused, the job is not the caller's; 2: written, and the job
-- is to be stopped.
local p, wid, id = ARGV[1], ARGV[2], ARGV[3]
local h = redis.call('HMGET', p .. 'job:' .. id, 'owner', 'owner_try')
if h[1] ~= wid or h[2] ~= ARGV[4]
    or not redis.call('ZSCORE', p .. 'w', wid) then
  return 0
end
local key = 'celery-task-meta-' .. id
redis.call('SETEX', key, ARGV[6], ARGV[5])
redis.call('PUBLISH', key, ARGV[5])
return (redis.call('GET', p .. 'cancel:' .. id) or '0') == '0' and 1 or 2
