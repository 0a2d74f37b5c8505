-- Take a message out of the dead set: send it again as a new job of the same
-- id, or throw it away.
-- KEYS: none. ARGV: prefix, member, id, message to send, ttl_s
-- id may be empty: nothing is known of it. No message: it is thrown away.
-- Returns 1; 0: it is not in the set; 2: refused, a job of that id lives.
local p, id = ARGV[1], ARGV[3]
local job = p .. 'job:' .. id
local dead = redis.call('ZSCORE', p .. 'dead', ARGV[2])
if not dead then
  return 0
end
if ARGV[4] == '' then
  redis.call('ZREM', p .. 'dead', ARGV[2])
  return 1
end
if id ~= '' then
  local state = redis.call('HGET', job, 'state')
  if state and state ~= 'dead' then
    return 2
  end
  redis.call('DEL', p .. 'cancel:' .. id, 'celery-task-meta-' .. id)
  redis.call('HDEL', job, 'settled', 'settled_try', 'settled_ms', 'error',
    'redeliveries', 'owner', 'owner_try')
  redis.call('HSET', job, 'state', 'queued')
  redis.call('EXPIRE', job, ARGV[5])
end
redis.call('ZREM', p .. 'dead', ARGV[2])
redis.call('LPUSH', string.match(ARGV[2], '^[^\n]*'), ARGV[4])
return 1
