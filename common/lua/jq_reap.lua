-- Give back the messages of nodes that have not beaten for a lease.
-- KEYS: none. ARGV: prefix, wid, stall_ms, max_redeliver, result_head,
-- result_tail, result_ttl_s, cap, lease_ms
-- Where nobody has called for stall_ms, or time went back, everybody was
-- stopped (Redis frozen, the clock set): all places are renewed instead.
-- A job that was begun counts a redelivery; past max_redeliver its message goes
-- to the dead set and its result is result_head .. id as JSON .. result_tail.
-- Returns {nodes, messages given back, messages to the dead set, ms until the
-- next place may be lost}.
local p = ARGV[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local last = tonumber(redis.call('GET', p .. 'reap:last') or now)
redis.call('SET', p .. 'reap:last', now, 'PX', 86400000)
if now < last or now - last > tonumber(ARGV[3]) then
  for _, wid in ipairs(redis.call('ZRANGE', p .. 'w', 0, -1)) do
    redis.call('ZADD', p .. 'w', now, wid)
  end
  return {0, 0, 0, tonumber(ARGV[9])}
end

local function give_back(held, id)
  local src = string.match(held, '^[^\n]*')
  if id then
    local job = p .. 'job:' .. id
    local n = redis.call('HINCRBY', job, 'redeliveries', 1)
    if n > tonumber(ARGV[4]) then
      local key = 'celery-task-meta-' .. id
      local result = ARGV[5] .. cjson.encode(id) .. ARGV[6]
      redis.call('ZADD', p .. 'dead', now, held)
      redis.call('ZREMRANGEBYRANK', p .. 'dead', 0, -1 - tonumber(ARGV[8]))
      redis.call('HSET', job, 'state', 'dead', 'owner', '', 'error',
        'worker lost', 'settled_ms', now)
      redis.call('SETEX', key, ARGV[7], result)
      redis.call('PUBLISH', key, result)
      redis.set_repl(redis.REPL_NONE)
      redis.call('XADD', p .. 'done', 'MAXLEN', '~', 10000, '*', 'id', id,
        'state', 'dead', 'try', 0)
      redis.set_repl(redis.REPL_ALL)
      return 0, 1
    end
    redis.call('HSET', job, 'state', 'queued', 'owner', '')
  end
  redis.call('RPUSH', src, string.sub(held, #src + 2))
  return 1, 0
end

local nodes, back, dead = 0, 0, 0
local late = redis.call('ZRANGEBYSCORE', p .. 'w', '-inf',
  now - tonumber(ARGV[9]))
for _, wid in ipairs(late) do
  local own, numbers = p .. 'proc:' .. wid, {}
  for _, n in ipairs(redis.call('HKEYS', own)) do
    numbers[#numbers + 1] = tonumber(n)
  end
  -- Newest first, so that the oldest is served first again.
  table.sort(numbers, function(a, b) return a > b end)
  for _, n in ipairs(numbers) do
    local h = redis.call('HMGET', own, n, n .. 'i')
    local b, d = give_back(h[1], h[2])
    back, dead = back + b, dead + d
  end
  redis.call('ZREM', p .. 'w', wid)
  redis.call('DEL', own, p .. 'winfo:' .. wid)
  nodes = nodes + 1
end
local first = redis.call('ZRANGE', p .. 'w', 0, 0, 'WITHSCORES')
local wait = ARGV[9] + (first[2] and first[2] - now or 0)
return {nodes, back, dead, wait}
