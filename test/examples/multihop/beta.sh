#!/bin/sh
# Makes data/beta of data/alpha. While that is missing it says so, which is no failure: it is called again after alpha.
set -e

if [ ! -e data/alpha ]; then
	echo 'DATABUILD_MISS::["data/alpha"]'
	exit
fi
echo "I am beta, and I have read: $(cat data/alpha)" >data/beta
echo 'DATABUILD_READ::["data/alpha"]'
