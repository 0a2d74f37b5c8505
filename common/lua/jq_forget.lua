-- Forget a job that has ended: its record, result, revocation, dead message, and
-- that it was told among those that ended.
-- KEYS: none. ARGV: prefix, id
-- Returns its state, or 'unknown'. One that is queued, scheduled or running is
-- left as it is.
local p, id = ARGV[1], ARGV[2]
local job = p .. 'job:' .. id
local state = redis.call('HGET', job, 'state')
if state == 'queued' or state == 'scheduled' or state == 'running' then
  return state
end
if state == 'dead' then
  local cursor = '0'
  repeat
    local found = redis.call('ZSCAN', p .. 'dead', cursor, 'COUNT', 1000)
    cursor = found[1]
    for i = 1, #found[2], 2 do
      if string.find(found[2][i], id, 1, true) then
        redis.call('ZREM', p .. 'dead', found[2][i])
      end
    end
  until cursor == '0'
end
redis.call('ZREM', p .. 'cancels', id)
-- Entries are named by their time: none is older than the job, nor newer than
-- its end, give or take a second.
local h = redis.call('HMGET', job, 'first_seen', 'settled_ms')
local from = h[1] and tostring(h[1]) or '-'
local to = h[2] and string.format('%.0f', h[2] + 1000) or '+'
repeat
  local page = redis.call('XRANGE', p .. 'done', from, to, 'COUNT', 1000)
  for _, entry in ipairs(page) do
    for i = 1, #entry[2], 2 do
      if entry[2][i] == 'id' and entry[2][i + 1] == id then
        redis.call('XDEL', p .. 'done', entry[1])
      end
    end
    from = '(' .. entry[1]
  end
until #page < 1000
redis.call('DEL', job, p .. 'cancel:' .. id, 'celery-task-meta-' .. id)
return state or 'unknown'
