-- Look for what nobody owns, a page of keys at a time.
-- KEYS: none. ARGV: prefix, what, cursor, count, 1 to repair
--   what proc: messages that are held under a place that is gone. Repair gives
--              the place back as one that is late, so the next reap returns
--              them to their lists.
--        job:  records that say running, of which nobody holds the message.
--              Repair forgets them, so the outbox may send them again.
--        list: all lists
-- Returns {next cursor, key, length ...}: length of a list, or 1.
local p, what, repair = ARGV[1], ARGV[2], ARGV[5] == '1'

local function is_held(owner, id)
  local own = p .. 'proc:' .. owner
  for _, n in ipairs(redis.call('HKEYS', own)) do
    if string.sub(n, -1) == 'i' and redis.call('HGET', own, n) == id then
      return true
    end
  end
  return false
end

-- A number to tell of the key, or false.
local look = {}

function look.proc(key)
  local wid = string.sub(key, #p + 6)
  if redis.call('ZSCORE', p .. 'w', wid) then
    return false
  end
  if repair then
    redis.call('ZADD', p .. 'w', 'NX', 1, wid)
  end
  return 1
end

function look.job(key)
  local h = redis.call('HMGET', key, 'state', 'owner')
  if h[1] ~= 'running' or is_held(h[2] or '', string.sub(key, #p + 5)) then
    return false
  end
  if repair then
    redis.call('DEL', key)
  end
  return 1
end

function look.list(key)
  return redis.call('LLEN', key)
end

local ask = {'SCAN', ARGV[3], 'COUNT', ARGV[4]}
if what == 'list' then
  ask[5], ask[6] = 'TYPE', 'list'
else
  ask[5], ask[6], ask[7], ask[8] = 'MATCH', p .. what .. ':*', 'TYPE', 'hash'
end
local page = redis.call(unpack(ask))
local out = {page[1]}
for _, key in ipairs(page[2]) do
  local found = look[what](key)
  if found then
    out[#out + 1], out[#out + 2] = key, found
  end
end
return out
