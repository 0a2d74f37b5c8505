-- Everything that the front loop asks Redis about one request.
--
-- KEYS[1]  session key, "" where the request shows no session
-- ARGV[1]  rate class: a word that separates the limits from each other
-- ARGV[2]  requests per minute, 0 = no limit
-- ARGV[3]  identity for the limit where there is no session (address digest)
-- ARGV[4]  tag of the cached answer, "" = this route has none
-- ARGV[5]  etag that the client holds, "" = none
--
-- Returns {verdict, remaining, reset_s, epoch, session, version, etag, body}
--   verdict   L limited (reset_s = wait) | N no session known here
--             M ask PostgreSQL | H the answer is body | S 304
--   session   "account cat role", "" = none
--   version   of the cat, "" where no cat or no tag
--
-- What is written here can be lost, so none of it goes to the AOF: on a
-- restart limits begin anew and cached answers are made again.
redis.set_repl(redis.REPL_NONE)

local epoch = redis.call('GET', 'ct:epoch') or '0'
local session = ''
local identity = ARGV[3]
if KEYS[1] ~= '' then
  local stored = redis.call('GET', KEYS[1])
  if stored then
    -- "-" stands for a session that has ended: nobody may put it back.
    local at = string.find(stored, ' ', 1, true) or 1
    if string.sub(stored, 1, at - 1) == epoch then
      session = string.sub(stored, at + 1)
      identity = string.sub(session, 1, 36)
    end
  end
end

-- GCRA: one number per identity, the theoretical arrival time in ms * 1000.
local limit = tonumber(ARGV[2])
local remaining, reset = -1, 0
if limit > 0 then
  local t = redis.call('TIME')
  local now = t[1] * 1000000 + t[2]
  local step = 60000000 / limit
  local key = 'ct:l:' .. ARGV[1] .. ':' .. identity
  local tat = tonumber(redis.call('GET', key) or now)
  if tat < now then tat = now end
  local ahead = tat + step - now
  if ahead > 60000000 then
    return {'L', 0, math.ceil((ahead - 60000000) / 1000000), epoch, session}
  end
  redis.call('SET', key, string.format('%.0f', tat + step),
             'PX', math.ceil(ahead / 1000) + 1)
  remaining = math.floor((60000000 - ahead) / step)
  reset = math.ceil(ahead / 1000000)
end

if session == '' then
  return {'N', remaining, reset, epoch, ''}
end
if ARGV[4] == '' then
  return {'M', remaining, reset, epoch, session}
end

local cat = string.sub(session, 38, 73)
local version = redis.call('GET', 'ct:v:' .. cat)
if not version then
  local t = redis.call('TIME')
  version = string.format('%x%05x', t[1], t[2]) ..
            string.format('%04x', redis.call('INCR', 'ct:vseq') % 65536)
  redis.call('SET', 'ct:v:' .. cat, version, 'EX', 86400)
  return {'M', remaining, reset, epoch, session, version}
end
local answer = redis.call('GET', 'ct:a:' .. cat .. ':' .. ARGV[4])
if not answer then
  return {'M', remaining, reset, epoch, session, version}
end
local head = epoch .. ' ' .. version .. ' '
if string.sub(answer, 1, #head) ~= head then
  return {'M', remaining, reset, epoch, session, version}
end
local etag = string.sub(answer, #head + 1, #head + 16)
if etag == ARGV[5] then
  return {'S', remaining, reset, epoch, session, version, etag}
end
return {'H', remaining, reset, epoch, session, version, etag,
        string.sub(answer, #head + 18)}
