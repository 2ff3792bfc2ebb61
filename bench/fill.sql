-- Made-up rows for bench/plans.py, as many in every table as it says in place of :rows.

INSERT INTO accounts (id, document_type, document_number, login, given_names, surnames, email, password_hash, created_at, updated_at)
SELECT md5(i::text)::uuid, 'CC', (40000000 + i)::text, 'CC' || (40000000 + i), 'Ana María', 'Rodríguez Peña', 'p' || i || '@ejemplo.test', CASE WHEN i % 20 > 0 THEN 'hash' END, now(), now() - i * interval '1 second'
FROM generate_series(1, :rows) i;

INSERT INTO profiles (id, account_id, user_type, radicado, updated_at)
SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'professional', 'RM-' || upper(substr(md5(i::text), 1, 12)), now()
FROM generate_series(1, :rows) i;

INSERT INTO consents
SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'RM-' || upper(substr(md5(i::text), 1, 12)), '2025-03', repeat('0', 64), now(), 'web'
FROM generate_series(1, :rows) i;

INSERT INTO password_links (id, account_id, reference, issue_key, purpose, issued_at, expires_at, closed_at, closed_reason)
SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'RM-' || upper(substr(md5(i::text), 1, 12)), 'k' || i, 'create', now() - i * interval '1 second', now() + interval '1 day' - i * interval '1 second', CASE WHEN i % 20 > 0 THEN now() END, CASE WHEN i % 20 > 0 THEN 'used' END
FROM generate_series(1, :rows) i;

INSERT INTO sessions
SELECT sha256(i::text::bytea), md5(i::text)::uuid, 'mipres', now(), now()
FROM generate_series(1, :rows) i;

INSERT INTO captcha_answers
SELECT 'n' || i, now()
FROM generate_series(1, :rows) i;

INSERT INTO sent_mails
SELECT 'password_set:' || md5(i::text), now() - i * interval '1 second', now()
FROM generate_series(1, :rows) i;

INSERT INTO login_guards (login_hash, failures, failed_at)
SELECT sha256(i::text::bytea), 1, now()
FROM generate_series(1, :rows) i;

INSERT INTO sent_mails
SELECT 'k' || i, now() - i * interval '1 second', now()
FROM generate_series(1, :rows) i;

INSERT INTO rate_limits
SELECT 'submissions', sha256(i::text::bytea), 1, now() + interval '1 day'
FROM generate_series(1, :rows) i;

-- The trail takes one row after the other; to fill it, its owner lets it be.
ALTER TABLE audit_entries DISABLE TRIGGER audit_entries_move_head;
INSERT INTO audit_entries (number, occurred_at, type, actor, reference, person, details, previous_seal, seal)
SELECT i, now(), 'made_up', 'bench', 'RM-' || upper(substr(md5(i::text), 1, 12)), md5('p' || i), '{}', sha256((i - 1)::text::bytea), sha256(i::text::bytea)
FROM generate_series(1, :rows) i;
ALTER TABLE audit_entries ENABLE TRIGGER audit_entries_move_head;
UPDATE audit_head SET number = last.number, seal = last.seal
FROM (SELECT number, seal FROM audit_entries ORDER BY number DESC LIMIT 1) AS last;

INSERT INTO erasures
SELECT sha256(i::text::bytea), now() - i * interval '1 second'
FROM generate_series(1, :rows) i;

INSERT INTO access_changes (id, account_id, change, changed_at, mailed_at)
SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'suspended', now() - i * interval '1 second', CASE WHEN i % 20 > 0 THEN now() - i * interval '1 second' END
FROM generate_series(1, :rows) i;

INSERT INTO address_changes (id, account_id, reference, new_address, found_at, closed_at)
SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'RM-' || upper(substr(md5(i::text), 1, 12)), 'n' || i || '@ejemplo.test', now() - i * interval '1 second', CASE WHEN i % 20 > 0 THEN now() - i * interval '1 second' END
FROM generate_series(1, :rows) i;

INSERT INTO factor_resets (id, account_id, address, asked_at, closed_at)
SELECT md5(i::text)::uuid, md5(i::text)::uuid, 'n' || i || '@ejemplo.test', now() - i * interval '1 second', CASE WHEN i % 20 > 0 THEN now() - i * interval '1 second' END
FROM generate_series(1, :rows) i;

INSERT INTO ended_sessions
SELECT sha256(('ended' || i)::bytea), md5(i::text)::uuid, now() - i * interval '1 second'
FROM generate_series(1, :rows) i;

INSERT INTO known_browsers
SELECT md5(i::text)::uuid, sha256(('browser' || i)::bytea), now() - i * interval '1 second'
FROM generate_series(1, :rows) i;

INSERT INTO login_origins (origin_hash, login_hash, failures, failed_at)
SELECT sha256(('origin' || i)::bytea), sha256(('login' || i)::bytea), 1, now() - i * interval '1 second'
FROM generate_series(1, :rows) i;

INSERT INTO milestones
SELECT 'made_up_' || i, now() - i * interval '1 second'
FROM generate_series(1, :rows) i;

INSERT INTO second_factors (id, account_id, code_since, created_at)
SELECT md5(i::text)::uuid, md5(i::text)::uuid, now(), now()
FROM generate_series(1, :rows) i;

INSERT INTO passkeys (id, factor_id, credential_id, public_key, sign_count, name, created_at)
SELECT md5(i::text)::uuid, md5(i::text)::uuid, sha256(('passkey' || i)::bytea), ''::bytea, 0, 'Llave', now()
FROM generate_series(1, :rows) i;

INSERT INTO recovery_codes
SELECT md5(i::text)::uuid, sha256(('recovery' || i)::bytea), NULL
FROM generate_series(1, :rows) i;

INSERT INTO second_steps
SELECT sha256(('step' || i)::bytea), md5(i::text)::uuid, 'mipres', sha256(''::bytea), now() - i * interval '10 microseconds'
FROM generate_series(1, :rows) i;

INSERT INTO passkey_answers
SELECT sha256(('answer' || i)::bytea), now() - i * interval '10 microseconds'
FROM generate_series(1, :rows) i;

INSERT INTO oidc_grants
SELECT md5(i::text)::uuid, md5(i::text)::uuid, md5(i::text)::uuid, 'app', 'https://app.example/', 'openid', false, NULL, 'x', now(),
       '{pwd}', sha256(('code' || i)::bytea), now(), now(), now() - i * interval '10 microseconds', CASE WHEN i % 20 = 0 THEN now() END, NULL
FROM generate_series(1, :rows) i;

INSERT INTO oidc_tokens
SELECT sha256(('token' || i)::bytea), md5(i::text)::uuid, 'access', 'openid', now(), now() - i * interval '10 microseconds', NULL
FROM generate_series(1, :rows) i;

INSERT INTO oidc_assertions
SELECT 'app', sha256(('assertion' || i)::bytea), now() - i * interval '10 microseconds'
FROM generate_series(1, :rows) i;

INSERT INTO oidc_consents
SELECT md5(i::text)::uuid, 'app', 'openid', now()
FROM generate_series(1, :rows) i;
