-- Begin a job whose message the caller holds.
-- KEYS: none. ARGV: prefix, wid, src, raw, id, try, task, ttl_s
-- Returns {'GO', starts, redeliveries}; {'FENCED'}: the message is not the
-- caller's; {'CANCELLED'}: revoked before it began; {'DUP'}: this try is
-- settled, or somebody who still has a place runs it.
local p, wid, src, raw, id = ARGV[1], ARGV[2], ARGV[3], ARGV[4], ARGV[5]
local try = tonumber(ARGV[6])
local own = p .. 'proc:' .. wid .. '|' .. src
if not redis.call('ZSCORE', p .. 'w', wid)
    or not redis.call('LPOS', own, raw) then
  return {'FENCED'}
end
local job = p .. 'job:' .. id
local h = redis.call('HMGET', job, 'owner', 'owner_try', 'settled_try',
  'redeliveries')
if h[3] and tonumber(h[3]) >= try then
  return {'DUP'}
end
if h[1] and tonumber(h[2]) >= try and redis.call('ZSCORE', p .. 'w', h[1]) then
  return {'DUP'}
end
if redis.call('EXISTS', p .. 'cancel:' .. id) == 1 then
  return {'CANCELLED'}
end
-- The reaper learns from this which job an orphaned message is.
redis.call('HSET', p .. 'own:' .. wid, redis.sha1hex(raw), id)
redis.call('HSET', job, 'state', 'running', 'owner', wid, 'owner_try', try,
  'task', ARGV[7], 'queue', src)
local starts = redis.call('HINCRBY', job, 'starts', 1)
redis.call('EXPIRE', job, ARGV[8])
return {'GO', starts, tonumber(h[4] or 0)}
