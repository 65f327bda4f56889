#!/bin/sh
# Makes data/alpha of nothing.
set -e

mkdir -p data
echo "I am alpha" >data/alpha
