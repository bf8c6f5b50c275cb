-- Turns a copy of the shop into its masked twin: every catalogued value is replaced by its mask.
-- Written by hand, from what the masks promise; none of the proxy's code or SQL is in it.
SET session_replication_role = replica;

ALTER TABLE customers ALTER email_lower DROP EXPRESSION, ALTER email_md5 DROP EXPRESSION;
-- What is generated from a hidden column is hidden in new rows too.
ALTER TABLE customers ALTER email_lower SET DEFAULT '***', ALTER email_md5 SET DEFAULT '***';
UPDATE customers SET
    full_name = '***',
    email = left(email, 1) || '***' || substr(email, strpos(email, '@')),
    phone = repeat('*', length(phone) - 2) || right(phone, 2),
    ssn = repeat('*', length(ssn) - 4) || right(ssn, 4),
    dob = date_trunc('year', dob)::date,
    address = NULL,
    notes = CASE WHEN notes IS NOT NULL THEN '***' END,
    email_lower = '***',
    email_md5 = '***';
UPDATE payments SET
    card_number = repeat('*', length(card_number) - 4) || right(card_number, 4),
    iban = '***';
UPDATE hr.employees SET
    full_name = '***',
    email = left(email, 1) || '***' || substr(email, strpos(email, '@')),
    salary = NULL,
    national_id = repeat('*', length(national_id) - 4) || right(national_id, 4);
UPDATE events SET ip = NULL, user_agent = '***';
UPDATE "UserProfiles" SET
    "E-mail" = left("E-mail", 1) || '***' || substr("E-mail", strpos("E-mail", '@')),
    "Full Name" = '***',
    prefs = NULL;
UPDATE "клиенты" SET
    "имя" = '***',
    "телефон" = repeat('*', length("телефон") - 2) || right("телефон", 2);
UPDATE hr.contacts SET email = left(email, 1) || '***' || substr(email, strpos(email, '@'));
UPDATE leads SET who = NULL;
UPDATE newsletter SET addr = left(addr, 1) || '***' || substr(addr, strpos(addr, '@'));
UPDATE contact_points SET emails = NULL, phones = NULL;
UPDATE kyc_checks SET ssn = repeat('*', length(ssn) - 4) || right(ssn, 4);
UPDATE id_scans SET scan = NULL;
UPDATE support_tickets SET body = '***';
UPDATE audit_log SET row_data = NULL;
-- A materialized view cannot be updated; what it computes is hidden whole.
DROP MATERIALIZED VIEW mv_customer_search;
SET ROLE app;
CREATE MATERIALIZED VIEW mv_customer_search AS
    SELECT id, '***' AS doc, ssn AS tax_ref FROM customers;
RESET ROLE;

RESET session_replication_role;
ANALYZE;
