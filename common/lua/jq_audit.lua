-- All messages that the caller holds, to be compared with what it knows of:
-- the reply to a claim may have been lost.
-- KEYS: none. ARGV: prefix, wid
-- Returns {list, message, list, message, ...}
local p, wid = ARGV[1], ARGV[2]
local out = {}
for _, src in ipairs(redis.call('SMEMBERS', p .. 'procs:' .. wid)) do
  local own = p .. 'proc:' .. wid .. '|' .. src
  for _, raw in ipairs(redis.call('LRANGE', own, 0, -1)) do
    out[#out + 1] = src
    out[#out + 1] = raw
  end
end
return out
