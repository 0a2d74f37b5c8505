-- The scheduled messages that are due first, as they are. One of more than
-- size bytes comes empty.
-- KEYS: none. ARGV: prefix, limit, size
-- Returns {due_ms, list, message ...}.
local out = {}
local found = redis.call('ZRANGE', ARGV[1] .. 'sched', 0, ARGV[2] - 1,
  'WITHSCORES')
for i = 1, #found, 2 do
  local cut = string.find(found[i], string.char(10), 1, true)
  local raw = string.sub(found[i], cut + 1)
  out[#out + 1] = found[i + 1]
  out[#out + 1] = string.sub(found[i], 1, cut - 1)
  out[#out + 1] = #raw <= tonumber(ARGV[3]) and raw or ''
end
return out
