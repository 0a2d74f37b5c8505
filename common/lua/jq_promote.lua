-- Scheduled messages whose time has come go to their lists, behind what waits
-- there: whoever is due first is served first, in however many turns.
-- KEYS: none. ARGV: prefix, wid, limit
-- Returns {moved, ms until the next one or -1}.
local p = ARGV[1]
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local due = redis.call('ZRANGEBYSCORE', p .. 'sched', '-inf', now,
  'LIMIT', 0, ARGV[3])
for i = 1, #due do
  local cut = string.find(due[i], string.char(10), 1, true)
  redis.call('LPUSH', string.sub(due[i], 1, cut - 1),
    string.sub(due[i], cut + 1))
  redis.call('ZREM', p .. 'sched', due[i])
end
local first = redis.call('ZRANGE', p .. 'sched', 0, 0, 'WITHSCORES')
local wait = -1
if first[2] then
  wait = math.max(0, math.ceil(tonumber(first[2]) - now))
end
return {#due, wait}
