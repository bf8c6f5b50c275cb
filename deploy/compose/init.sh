#!/bin/sh
# Run once by the PostgreSQL image: the account that the proxy uses, and its database. The account
# is no superuser, as it should not be anywhere.
set -eu

psql --set=ON_ERROR_STOP=1 --set=password="$KEYHOLE_UPSTREAM_PASSWORD" \
     --username="$POSTGRES_USER" --dbname=postgres <<'SQL'
CREATE ROLE app LOGIN PASSWORD :'password';
CREATE DATABASE shop OWNER app;
SQL

psql --quiet --set=ON_ERROR_STOP=1 --username=app --dbname=shop --file=/demo/shop.sql
