#!/bin/sh
# A worker in psql: claims a run, builds and reports it, and waits for more.

while psql -XAtq -f "$(dirname "$0")/worker.sql"; do :; done
