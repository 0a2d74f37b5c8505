-- Renew the caller's place.
-- KEYS: none. ARGV: prefix, wid, ttl_ms, id of each running job ...
-- Returns {1, ids that are to be stopped ...}; {2, ...}: the same, and the node is
-- to drain; {0}: the place is lost.
local p, wid = ARGV[1], ARGV[2]
if not redis.call('ZSCORE', p .. 'w', wid) then
  return {0}
end
local t = redis.call('TIME')
redis.call('ZADD', p .. 'w', t[1] * 1000 + math.floor(t[2] / 1000), wid)
redis.call('PEXPIRE', p .. 'winfo:' .. wid, ARGV[3])
local out = {redis.call('HGET', p .. 'winfo:' .. wid, 'drain') and 2 or 1}
for i = 4, #ARGV do
  -- '0' lets a job that runs go on.
  if (redis.call('GET', p .. 'cancel:' .. ARGV[i]) or '0') ~= '0' then
    out[#out + 1] = ARGV[i]
  end
end
return out
