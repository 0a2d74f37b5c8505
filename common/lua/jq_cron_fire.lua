-- One slot of a row of the schedule. Only the leader's word counts, and a slot
-- counts once, whoever leads.
-- KEYS: none. ARGV: prefix, "epoch token" as jq_leader gave it, row, op, slot_s,
-- then for fire: overlap (allow, skip), id, list, raw, task, queue, ttl_s;
-- for seed: text
--   op fire: make the job of the slot
--   op pass: the slot was missed
--   op seed: the row is new, or means something else now (text): slots up to
--            slot_s do not count
-- Returns FIRED; DONE: passed over or seeded; RUNNING: the row's last job is of
-- the day before at most and has not ended, the slot is passed over; DUP: the slot was dealt with; FENCED: the
-- caller does not lead; EARLY: the slot is yet to come.
local p, name, op, slot = ARGV[1], ARGV[3], ARGV[4], ARGV[5]
if redis.call('GET', p .. 'leader') ~= ARGV[2] then
  return 'FENCED'
end
local t = redis.call('TIME')
local now = t[1] * 1000 + math.floor(t[2] / 1000)
local row = p .. 'cron:' .. name
local slots = row .. ':slots'
local function note(...)
  redis.call('HSET', row, ...)
  redis.call('EXPIRE', row, 34560000)
end
if tonumber(slot) * 1000 > now then
  return 'EARLY'
elseif op == 'seed' then
  note('slot', slot, 'text', ARGV[6])
  return 'DONE'
elseif redis.call('ZADD', slots, slot, slot) == 0 then
  return 'DUP'
end
redis.call('ZREMRANGEBYRANK', slots, 0, -2881)
redis.call('EXPIRE', slots, 172800)
note('slot', slot)
if op == 'pass' then
  return 'DONE'
end

-- No job takes a day; one that seems to was lost, and must not stop the row.
local h = redis.call('HMGET', row, 'id', 'fired')
if ARGV[6] ~= 'allow' and h[1] and tonumber(slot) - h[2] < 86400 then
  local state = redis.call('HGET', p .. 'job:' .. h[1], 'state')
  if state == 'queued' or state == 'running' or state == 'scheduled' then
    return 'RUNNING'
  end
end
local job = p .. 'job:' .. ARGV[7]
redis.call('HSET', job, 'state', 'queued', 'task', ARGV[10], 'queue', ARGV[11],
  'due', 0, 'first_seen', now, 'cron', name, 'slot', slot)
redis.call('EXPIRE', job, ARGV[12])
redis.call('LPUSH', ARGV[8], ARGV[9])
note('id', ARGV[7], 'fired', slot)
return 'FIRED'
