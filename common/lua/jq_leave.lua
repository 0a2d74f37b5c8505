-- A node ends in good order: what it still holds goes back, uncounted.
-- KEYS: none. ARGV: prefix, wid
-- Returns how many messages went back.
local p, wid = ARGV[1], ARGV[2]
local own = p .. 'proc:' .. wid
local numbers = {}
for _, n in ipairs(redis.call('HKEYS', own)) do
  numbers[#numbers + 1] = tonumber(n)
end
-- Newest first, so that the oldest is served first again.
table.sort(numbers, function(a, b) return a > b end)
for _, n in ipairs(numbers) do
  local h = redis.call('HMGET', own, n, n .. 'i')
  local src = string.match(h[1], '^[^\n]*')
  if h[2] then
    redis.call('HSET', p .. 'job:' .. h[2], 'state', 'queued', 'owner', '')
  end
  redis.call('RPUSH', src, string.sub(h[1], #src + 2))
end
redis.call('ZREM', p .. 'w', wid)
redis.call('DEL', own, p .. 'winfo:' .. wid)
return #numbers
