-- Sign-in by Apple.

-- up
alter table users add column apple_id varchar(128) unique;

-- down
alter table users drop column if exists apple_id;
