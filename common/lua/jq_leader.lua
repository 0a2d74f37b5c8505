-- Who runs the schedule: take the lock, renew it, or give it up.
-- KEYS: none. ARGV: prefix, token (no blank in it), ttl_ms (0: give it up)
-- Returns {1, now_ms, "epoch token"} for the leader, {0, now_ms, the leader's}
-- for others. An epoch is taken from the clock, so that one that was lost never
-- comes back.
local p, token, ttl = ARGV[1], ARGV[2], tonumber(ARGV[3])
local key = p .. 'leader'
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local held = redis.call('GET', key)
local mine = held and string.match(held, '^%d+ (.*)$') == token
if ttl == 0 then
  if mine then
    redis.call('DEL', key)
    held = ''
  end
  return {0, now, held or ''}
end
if held and not mine then
  return {0, now, held}
end
if not mine then
  local epoch = (tonumber(redis.call('GET', key .. ':epoch')) or 0) + 1
  if now > epoch then
    epoch = now
  end
  epoch = string.format('%.0f', epoch)
  redis.call('SET', key .. ':epoch', epoch, 'PX', 2592000000)
  held = epoch .. ' ' .. token
end
redis.call('SET', key, held, 'PX', ttl)
return {1, now, held}
