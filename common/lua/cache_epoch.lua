-- Raise the cache epoch. KEYS: ct:epoch. Returns the new epoch.
-- Taken from the clock, so that an epoch that was lost or evicted never
-- comes back to a number under which something may still be stored.
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local old = tonumber(redis.call('GET', KEYS[1])) or 0
if now <= old then
	now = old + 1
end
local text = string.format('%.0f', now)
redis.call('SET', KEYS[1], text)
return text
