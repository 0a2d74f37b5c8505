-- Look at messages without touching them, a page at a time.
-- KEYS: none. ARGV: prefix, what, from, count, list
--   what ready: those of the list, served next first
--        sched: those that wait for their time, next first
--        dead:  newest first
--        held:  those that nodes hold, by node
--   from  how many to skip
-- Returns {next from or -1, list, bytes, message, ms, wid of each ...}; ms is
-- when it is due or died. A message over 64 KiB is told without its text, and
-- a page ends early past 256 KiB.
local p, what, from = ARGV[1], ARGV[2], tonumber(ARGV[3])
local count = tonumber(ARGV[4])
local out, bytes, seen = {-1}, 0, 0

-- false: the page is full.
local function put(src, raw, ms, wid)
  if seen == count or bytes > 262144 then
    out[1] = from + seen
    return false
  end
  local text = #raw <= 65536 and raw or ''
  seen, bytes = seen + 1, bytes + #text
  local n = #out
  out[n + 1], out[n + 2], out[n + 3] = src, #raw, text
  out[n + 4], out[n + 5] = ms, wid
  return true
end

local function put_member(member, ms, wid)
  local src = string.match(member, '^[^\n]*')
  return put(src, string.sub(member, #src + 2), ms, wid)
end

-- The messages of one node in the order in which it took them.
local function numbers_of(own)
  local numbers = {}
  for _, n in ipairs(redis.call('HKEYS', own)) do
    numbers[#numbers + 1] = tonumber(n)
  end
  table.sort(numbers)
  return numbers
end

local function held()
  local skip = from
  for _, wid in ipairs(redis.call('ZRANGE', p .. 'w', 0, 999)) do
    local own = p .. 'proc:' .. wid
    for _, n in ipairs(numbers_of(own)) do
      if skip > 0 then
        skip = skip - 1
      elseif not put_member(redis.call('HGET', own, n), '0', wid) then
        return
      end
    end
  end
end

if what == 'held' then
  held()
elseif what == 'ready' then
  -- One more than a page tells whether there is another.
  local got = redis.call('LRANGE', ARGV[5], -from - count - 1, -from - 1)
  for i = #got, 1, -1 do
    if not put(ARGV[5], got[i], '0', '') then break end
  end
else
  local got = redis.call(what == 'dead' and 'ZREVRANGE' or 'ZRANGE', p .. what,
    from, from + count, 'WITHSCORES')
  for i = 1, #got, 2 do
    if not put_member(got[i], got[i + 1], '') then break end
  end
end
return out
