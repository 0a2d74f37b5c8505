-- A node enters the service under a new id, or says again what it is.
-- KEYS: none. ARGV: prefix, wid, host, pid, queues, slots, ttl_ms, name
-- Returns now in ms.
local p, wid = ARGV[1], ARGV[2]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local info = p .. 'winfo:' .. wid
redis.call('ZADD', p .. 'w', now, wid)
redis.call('HSET', info, 'host', ARGV[3], 'pid', ARGV[4], 'queues', ARGV[5],
  'slots', ARGV[6], 'name', ARGV[8])
redis.call('HSETNX', info, 'since', now)
redis.call('PEXPIRE', info, ARGV[7])
return now
