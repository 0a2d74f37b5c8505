-- Keep a session's copy, unless the session was ended meanwhile: a reader that
-- loaded it from PostgreSQL just before must not bring it back.
-- KEYS: the session. ARGV: value, seconds to live. Returns 1 kept, 0 not.
if redis.call('GET', KEYS[1]) == '-' then
  return 0
end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return 1
