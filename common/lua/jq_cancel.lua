-- Revoke a job. The mark outlives restarts and the time the job waits for. Its
-- value: 1 where a job that runs is to be stopped, 0 where it may go on.
-- One that waits for its time ends here, where its message is found.
-- KEYS: none. ARGV: prefix, id, result, result_ttl_s, stop (1 or 0)
-- The last of those that were revoked are kept to be looked at.
-- Returns the job's state before, or 'unknown'.
local p, id = ARGV[1], ARGV[2]
local job, mark = p .. 'job:' .. id, p .. 'cancel:' .. id
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
local stop = ARGV[5] == '0' and redis.call('GET', mark) or ARGV[5] or '1'
redis.call('SET', mark, stop, 'EX', 604800 + math.floor(wait))
redis.call('ZADD', p .. 'cancels', t[1] * 1000 + math.floor(t[2] / 1000), id)
redis.call('ZREMRANGEBYRANK', p .. 'cancels', 0, -1001)
redis.call('EXPIRE', p .. 'cancels', 604800)
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
