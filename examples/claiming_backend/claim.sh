#!/bin/sh
# Claim a registration with curl 7.75 or newer. The registration code is read from standard input, because every process
# sees a command line.
#
#     eval "$(aws configure export-credentials --format env)"
#     CLAIM_URL=… AWS_REGION=… ./claim.sh
set -eu
read -r code
key=$(od -An -N16 -tx1 /dev/urandom | tr -d ' \n')
# curl would sign an empty header, and not send it.
token=
[ -z "${AWS_SESSION_TOKEN:-}" ] || token="header = \"X-Amz-Security-Token: $AWS_SESSION_TOKEN\""
# The secrets are in the configuration on standard input, for the same reason.
curl --config - <<END
url = "$CLAIM_URL"
aws-sigv4 = "aws:amz:$AWS_REGION:execute-api"
user = "$AWS_ACCESS_KEY_ID:$AWS_SECRET_ACCESS_KEY"
$token
header = "Content-Type: application/json"
header = "Idempotency-Key: $key"
data = "{\"registration_code\": \"$code\"}"
silent
show-error
fail
max-time = 20
retry = 3
retry-max-time = 20
END
