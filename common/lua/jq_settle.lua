-- The end of a try: acknowledgement, result and next state in one step.
-- KEYS: none. ARGV: prefix, wid, number, id, try, op, next, due_ms, state,
-- result, result_ttl_s, ttl_s, max_redeliver, reason, cap
--   op ack:     the message is done with; state is the job's last state
--   op drop:    the message is a copy: nothing but the message goes
--   op sched:   next, or the message itself where next is empty, waits until
--               due_ms (a retry, or a time to come)
--   op requeue: back to its list, served next; where max_redeliver >= 0 that
--               is counted, and past it the message is dead, with the result
--   op dead:    to the dead set
-- number is the message's in proc:<wid>. id may be empty: the job is then the
-- one that was begun, if any. result may be empty. Each end of a try is told
-- in the stream done: id, state, try.
-- Returns 1; 2: this settle was made before; 3: requeue went to the dead set;
-- 0: refused, the message is not the caller's.
local p, wid, n, id, try = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local op, due, state, result = ARGV[6], ARGV[8], ARGV[9], ARGV[10]
local own, held = p .. 'proc:' .. wid, false
if id == '' then
  id = redis.call('HGET', own, n .. 'i') or ''
end
if op ~= 'ack' and op ~= 'drop' then
  held = redis.call('HGET', own, n)
end
local gone = redis.call('HDEL', own, n, n .. 'i')
local job, mark = p .. 'job:' .. id, wid .. ' ' .. try
if gone == 0 then
  return id ~= '' and redis.call('HGET', job, 'settled') == mark and 2 or 0
elseif op == 'drop' then
  return 1
end

local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local set, ret = {}, 1
local function put(name, value)
  set[#set + 1], set[#set + 2] = name, value
end
local src = held and string.match(held, '^[^\n]*')
if op == 'requeue' then
  local count, max = 0, tonumber(ARGV[13])
  if id ~= '' and max >= 0 then
    count = redis.call('HINCRBY', job, 'redeliveries', 1)
  end
  if max >= 0 and count > max then
    op, state, ret = 'dead', 'dead', 3
  else
    redis.call('RPUSH', src, string.sub(held, #src + 2))
    state, result = 'queued', ''
  end
elseif op == 'sched' then
  local next = ARGV[7] ~= '' and src .. '\n' .. ARGV[7] or held
  redis.call('ZADD', p .. 'sched', due, next)
  put('due', due)
end
if op == 'dead' then
  redis.call('ZADD', p .. 'dead', now, held)
  redis.call('ZREMRANGEBYRANK', p .. 'dead', 0, -1 - tonumber(ARGV[15]))
end
if id == '' then
  return ret
end
put('state', state)
put('owner', '')
if ARGV[14] ~= '' then put('error', ARGV[14]) end
-- A retry ends this try, too: the next one is another message.
if op == 'ack' or op == 'dead' or ARGV[7] ~= '' then
  put('settled', mark)
  put('settled_try', try)
  put('settled_ms', now)
end
redis.call('HSET', job, unpack(set))
-- One that was begun and goes back has its life from then.
if gone == 1 or op == 'sched' or op == 'ack' then
  redis.call('EXPIRE', job, tonumber(ARGV[12])
    + math.max(0, math.floor((tonumber(due) - now) / 1000)))
end
if result ~= '' then
  local key = 'celery-task-meta-' .. id
  redis.call('SETEX', key, ARGV[11], result)
  redis.call('PUBLISH', key, result)
end
-- For those who watch. It can be lost, so it costs no append-only file.
redis.set_repl(redis.REPL_NONE)
redis.call('XADD', p .. 'done', 'MAXLEN', '~', 10000, '*', 'id', id, 'state',
  state, 'try', try)
return ret
