-- The end of a try: acknowledgement, result and next state in one step.
-- KEYS: none. ARGV: prefix, wid, src, raw, id, try, op, next, due_ms, state,
-- result, result_ttl_s, ttl_s, max_redeliver, reason, cap
--   op ack:     the message is done with; state is the job's last state
--   op drop:    the message is a copy: nothing but the message goes
--   op sched:   next waits until due_ms (a retry, or a time to come)
--   op requeue: back to src, served next; counted where max_redeliver >= 0,
--               and past it the message goes to the dead set with the result
--   op dead:    to the dead set
-- id may be empty (a message that names none); result may be empty.
-- Returns 1; 2: this settle was made before; 3: requeue went to the dead set;
-- 0: refused, the message is not the caller's.
local p, wid, src, raw, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local try, op, state, result = ARGV[6], ARGV[7], ARGV[10], ARGV[11]
local own = p .. 'proc:' .. wid .. '|' .. src
local job = p .. 'job:' .. id
if redis.call('LREM', own, 1, raw) == 0 then
  if id ~= '' and redis.call('HGET', job, 'settled') == wid .. ' ' .. try then
    return 2
  end
  return 0
end
if redis.call('EXISTS', own) == 0 then
  redis.call('SREM', p .. 'procs:' .. wid, src)
end
if op == 'drop' then
  return 1
end
redis.call('HDEL', p .. 'own:' .. wid, redis.sha1hex(raw))

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local ret = 1
if op == 'requeue' then
  local n, max = 0, tonumber(ARGV[14])
  if id ~= '' and max >= 0 then
    n = redis.call('HINCRBY', job, 'redeliveries', 1)
  end
  if max >= 0 and n > max then
    op, state, ret = 'dead', 'dead', 3
  else
    redis.call('RPUSH', src, raw)
    state, result = 'queued', ''
  end
end
if op == 'sched' then
  redis.call('ZADD', p .. 'sched', ARGV[9], src .. string.char(10) .. ARGV[8])
elseif op == 'dead' then
  redis.call('ZADD', p .. 'dead', now, src .. string.char(10) .. raw)
  redis.call('ZREMRANGEBYRANK', p .. 'dead', 0, -1 - tonumber(ARGV[16]))
end
if id ~= '' then
  redis.call('HSET', job, 'state', state)
  redis.call('HDEL', job, 'owner', 'owner_try')
  if ARGV[15] ~= '' then
    redis.call('HSET', job, 'error', ARGV[15])
  end
  if op == 'ack' or op == 'dead' then
    redis.call('HSET', job, 'settled', wid .. ' ' .. try, 'settled_try', try,
      'settled_ms', now)
  elseif ARGV[8] ~= '' and ARGV[8] ~= raw then
    -- A retry: this try is over, the next one is another message.
    redis.call('HSET', job, 'settled', wid .. ' ' .. try, 'settled_try', try,
      'due', ARGV[9])
  end
  redis.call('EXPIRE', job, tonumber(ARGV[13])
    + math.max(0, math.floor((tonumber(ARGV[9]) - now) / 1000)))
  if result ~= '' then
    local key = 'celery-task-meta-' .. id
    redis.call('SETEX', key, ARGV[12], result)
    redis.call('PUBLISH', key, result)
  end
end
return ret
