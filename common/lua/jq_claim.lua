-- Move messages from the ready lists to the caller's own lists: a message is
-- never outside Redis.
-- KEYS: ready lists, in the order to be served. ARGV: prefix, wid, count
-- Returns {now_ms, list, message, list, message, ...}, {-1} where the caller
-- has lost its place.
local p, wid, want = ARGV[1], ARGV[2], tonumber(ARGV[3])
if not redis.call('ZSCORE', p .. 'w', wid) then
  return {-1}
end
local t = redis.call('TIME')
local out = {t[1] * 1000 + math.floor(t[2] / 1000)}
for _, src in ipairs(KEYS) do
  local own = p .. 'proc:' .. wid .. '|' .. src
  while want > 0 do
    local raw = redis.call('LMOVE', src, own, 'RIGHT', 'LEFT')
    if not raw then
      break
    end
    redis.call('SADD', p .. 'procs:' .. wid, src)
    out[#out + 1] = src
    out[#out + 1] = raw
    want = want - 1
  end
  if want == 0 then
    break
  end
end
return out
