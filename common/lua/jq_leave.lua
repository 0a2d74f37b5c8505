-- A node ends in good order: what it still holds goes back, uncounted.
-- KEYS: none. ARGV: prefix, wid
-- Returns how many messages went back.
local p, wid = ARGV[1], ARGV[2]
local n = 0
for _, src in ipairs(redis.call('SMEMBERS', p .. 'procs:' .. wid)) do
  local own = p .. 'proc:' .. wid .. '|' .. src
  while true do
    local raw = redis.call('LPOP', own)
    if not raw then
      break
    end
    local id = redis.call('HGET', p .. 'own:' .. wid, redis.sha1hex(raw))
    if id then
      redis.call('HSET', p .. 'job:' .. id, 'state', 'queued')
      redis.call('HDEL', p .. 'job:' .. id, 'owner', 'owner_try')
    end
    redis.call('RPUSH', src, raw)
    n = n + 1
  end
end
redis.call('ZREM', p .. 'w', wid)
redis.call('DEL', p .. 'procs:' .. wid, p .. 'own:' .. wid,
  p .. 'winfo:' .. wid)
return n
