-- The numbers of all messages that the caller holds, to be compared with what
-- it knows of: the reply to a claim may have been lost.
-- KEYS: none. ARGV: prefix, wid
local out = {}
for _, n in ipairs(redis.call('HKEYS', ARGV[1] .. 'proc:' .. ARGV[2])) do
  if string.sub(n, -1) ~= 'i' then
    out[#out + 1] = n
  end
end
return out
