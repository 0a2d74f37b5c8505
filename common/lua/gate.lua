-- Everything that the front loop asks Redis about one batch of requests.
--
-- KEYS[i]  session key of request i, "" where it shows no session
-- ARGV     six for each request:
--   class   a word that separates the limits from each other
--   limit   requests per minute, 0 = no limit
--   who     identity for the limit where there is no session (address digest)
--   tag     of the cached answer, "" = this route has none
--   etag    that the client holds, "" = none
--   cat     that it is about, "" = the session's default one
--
-- Returns {epoch, answer 1, answer 2, ...}, each answer
--   {verdict, remaining, reset_s, session, version, etag, body}
--   verdict   L limited (reset_s = wait) | N no session known here (one that
--             was shown is not charged yet: nobody may use up what belongs to
--             others behind the same address) | M ask PostgreSQL | H the answer is body | S 304
--   session   "account default-cat letters cat cat ...", "" = none; an answer
--             about a cat that is not among them is none of ours to give
--   version   of the cat, absent where there is no cat or no tag
--
-- What is written here can be lost, so none of it goes to the AOF: after a
-- restart limits begin anew and cached answers are made again.
redis.set_repl(redis.REPL_NONE)

local MINUTE = 60000000
local t = redis.call('TIME')
local now = t[1] * 1000000 + t[2]
local epoch = redis.call('GET', 'ct:epoch') or '0'

-- The session's text, and who it is for the limit. "-" in its place stands for
-- a session that has ended: nobody may put it back.
local function session_of(key)
  local stored = key ~= '' and redis.call('GET', key)
  local at = stored and string.find(stored, ' ', 1, true)
  if at and string.sub(stored, 1, at - 1) == epoch then
    return string.sub(stored, at + 1)
  end
  return ''
end

-- GCRA: one number per identity, its theoretical arrival time.
-- Returns remaining (nil: refused) and seconds.
local function take(class, limit, who)
  local step = MINUTE / limit
  local key = 'ct:l:' .. class .. ':' .. who
  local tat = tonumber(redis.call('GET', key) or now)
  if tat < now then tat = now end
  local ahead = tat + step - now
  if ahead > MINUTE then
    return nil, math.ceil((ahead - MINUTE) / 1000000)
  end
  redis.call('SET', key, math.floor(tat + step), 'PX', math.ceil(ahead / 1000))
  return math.floor((MINUTE - ahead) / step), math.ceil(ahead / 1000000)
end

-- A version that never was before: readers make it, writes delete it.
local function new_version(cat)
  local seq = redis.call('INCR', 'ct:vseq') % 65536
  local version = string.format('%x%05x%04x', t[1], t[2], seq)
  redis.call('SET', 'ct:v:' .. cat, version, 'EX', 86400)
  return version
end

local function answer(key, class, limit, who, tag, held, cat)
  local session = session_of(key)
  local remaining, reset = -1, 0
  if session ~= '' then
    who = string.sub(session, 1, 36)
  elseif key ~= '' then
    return {'N', remaining, reset, ''}
  end
  if limit > 0 then
    remaining, reset = take(class, limit, who)
    if not remaining then return {'L', 0, reset, session} end
  end
  if session == '' then return {'N', remaining, reset, ''} end
  if tag == '' then return {'M', remaining, reset, session} end

  if cat == '' then
    cat = string.sub(session, 38, 73)
  elseif not string.find(session, cat, 79, true) then
    return {'M', remaining, reset, session}
  end
  local version = redis.call('GET', 'ct:v:' .. cat)
  if not version then
    return {'M', remaining, reset, session, new_version(cat)}
  end
  local stored = redis.call('GET', 'ct:a:' .. cat .. ':' .. tag)
  local head = epoch .. ' ' .. version .. ' '
  if not stored or string.sub(stored, 1, #head) ~= head then
    return {'M', remaining, reset, session, version}
  end
  local etag = string.sub(stored, #head + 1, #head + 16)
  if etag == held then
    return {'S', remaining, reset, session, version, etag}
  end
  return {'H', remaining, reset, session, version, etag,
          string.sub(stored, #head + 18)}
end

local out = {epoch}
for i = 1, #KEYS do
  local a = 6 * (i - 1)
  out[i + 1] = answer(KEYS[i], ARGV[a + 1], tonumber(ARGV[a + 2]), ARGV[a + 3],
                      ARGV[a + 4], ARGV[a + 5], ARGV[a + 6])
end
return out
