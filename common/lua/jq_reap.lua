-- Give back the messages of nodes that have not beaten for a lease.
-- KEYS: none. ARGV: prefix, wid, stall_ms, max_redeliver, result_head,
-- result_tail, result_ttl_s, ttl_s, cap, limit, lease_ms
-- Where nobody has called for stall_ms, or time went back, everybody was
-- stopped (Redis frozen, the clock set): all places are renewed instead.
-- A job that was begun counts a redelivery; past max_redeliver its message goes
-- to the dead set and its result is result_head .. id as JSON .. result_tail.
-- Returns {nodes, messages given back, messages to the dead set}.
local p = ARGV[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local last = tonumber(redis.call('GET', p .. 'reap:last') or now)
redis.call('SET', p .. 'reap:last', now, 'PX', 86400000)
if now < last or now - last > tonumber(ARGV[3]) then
  for _, wid in ipairs(redis.call('ZRANGE', p .. 'w', 0, -1)) do
    redis.call('ZADD', p .. 'w', now, wid)
  end
  return {0, 0, 0}
end

local function give_back(wid, src, raw)
  local sha = redis.sha1hex(raw)
  local id = redis.call('HGET', p .. 'own:' .. wid, sha)
  if id then
    local job = p .. 'job:' .. id
    local n = redis.call('HINCRBY', job, 'redeliveries', 1)
    redis.call('HDEL', job, 'owner', 'owner_try')
    redis.call('EXPIRE', job, ARGV[8])
    if n > tonumber(ARGV[4]) then
      local key = 'celery-task-meta-' .. id
      local result = ARGV[5] .. cjson.encode(id) .. ARGV[6]
      redis.call('ZADD', p .. 'dead', now, src .. string.char(10) .. raw)
      redis.call('ZREMRANGEBYRANK', p .. 'dead', 0, -1 - tonumber(ARGV[9]))
      redis.call('HSET', job, 'state', 'dead', 'error', 'worker lost')
      redis.call('SETEX', key, ARGV[7], result)
      redis.call('PUBLISH', key, result)
      return 0, 1
    end
    redis.call('HSET', job, 'state', 'queued')
  end
  redis.call('RPUSH', src, raw)
  return 1, 0
end

local nodes, back, dead, left = 0, 0, 0, tonumber(ARGV[10])
local late = redis.call('ZRANGEBYSCORE', p .. 'w', '-inf',
  now - tonumber(ARGV[11]))
for _, wid in ipairs(late) do
  local empty = true
  for _, src in ipairs(redis.call('SMEMBERS', p .. 'procs:' .. wid)) do
    local own = p .. 'proc:' .. wid .. '|' .. src
    while left > 0 do
      -- Newest first, so that the oldest is served first again.
      local raw = redis.call('LPOP', own)
      if not raw then
        break
      end
      local b, d = give_back(wid, src, raw)
      back, dead, left = back + b, dead + d, left - 1
    end
    if redis.call('EXISTS', own) == 1 then
      empty = false
    end
  end
  if empty then
    redis.call('ZREM', p .. 'w', wid)
    redis.call('DEL', p .. 'procs:' .. wid, p .. 'own:' .. wid,
      p .. 'winfo:' .. wid)
    nodes = nodes + 1
  end
end
return {nodes, back, dead}
