-- Ask a node to end once its jobs have: it sees that at its next beat.
-- KEYS: none. ARGV: prefix, wid
-- Returns 1; 0: there is no such node.
local p, wid = ARGV[1], ARGV[2]
if not redis.call('ZSCORE', p .. 'w', wid) then
  return 0
end
redis.call('HSET', p .. 'winfo:' .. wid, 'drain', 1)
return 1
