-- A second factor for console users.

-- up
alter table console_user
    add column mfa_secret bytea,
    add column mfa_recovery_codes bytea,
    add column mfa_required boolean default false;

-- down
alter table console_user
    drop column mfa_required,
    drop column mfa_recovery_codes,
    drop column mfa_secret;
