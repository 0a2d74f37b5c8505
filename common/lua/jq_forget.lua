-- Forget a job that has ended: its record, result, revocation, dead message.
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
redis.call('DEL', job, p .. 'cancel:' .. id, 'celery-task-meta-' .. id)
return state or 'unknown'
