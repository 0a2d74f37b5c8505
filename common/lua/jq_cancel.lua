-- Revoke a job. The mark outlives restarts and the time the job waits for. One
-- that waits for its time ends here, where its message is found.
-- KEYS: none. ARGV: prefix, id, result, result_ttl_s
-- Returns the job's state before, or 'unknown'.
local p, id = ARGV[1], ARGV[2]
local job = p .. 'job:' .. id
local h = redis.call('HMGET', job, 'state', 'due')
local t = redis.call('TIME')

-- Few messages are due at the same millisecond: those are looked through.
local function unschedule(due)
  for _, member in ipairs(redis.call('ZRANGEBYSCORE', p .. 'sched', due, due,
      'LIMIT', 0, 1000)) do
    local src = string.match(member, '^[^\n]*')
    local ok, m = pcall(cjson.decode, string.find(member, id, 1, true)
      and string.sub(member, #src + 2) or '')
    local head = ok and type(m) == 'table' and m.headers
    if type(head) == 'table' and head.id == id then
      redis.call('ZREM', p .. 'sched', member)
      redis.call('HSET', job, 'state', 'revoked', 'owner', '', 'settled_ms',
        t[1] * 1000 + math.floor(t[2] / 1000))
      return true
    end
  end
  return false
end

local wait = math.max(0, tonumber(h[2] or 0) / 1000 - t[1])
redis.call('SET', p .. 'cancel:' .. id, 1, 'EX', 604800 + math.floor(wait))
if h[1] == 'queued' or h[1] == 'scheduled' then
  local key = 'celery-task-meta-' .. id
  redis.call('SETEX', key, ARGV[4], ARGV[3])
  redis.call('PUBLISH', key, ARGV[3])
end
if h[1] == 'scheduled' and h[2] and unschedule(h[2]) then
  redis.set_repl(redis.REPL_NONE)
  redis.call('XADD', p .. 'done', 'MAXLEN', '~', 10000, '*', 'id', id, 'state',
    'revoked', 'try', 0)
end
return h[1] or 'unknown'
