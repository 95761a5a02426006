#!/usr/bin/env bash
# Calls a running service as a client does, and fails on the first response that violates the contract.
#
#   infra/smoke.sh [--aster] [--hyperliquid] URL KEY
#
# Each run creates one wallet for a new user. The flags also register that wallet with an exchange, place and
# cancel a small order if the wallet has money there, then rotate and revoke the key. The service calls the
# exchange that it is configured for, so use the flags only with a test network or the local stack. Requires
# Bash and curl.
set -euo pipefail

usage() {
  sed -n '2,9s/^# \{0,1\}//p' "$0" >&2
  exit 2
}

exchanges=()
while [[ ${1:-} == --* ]]; do
  case $1 in
    --aster | --hyperliquid) exchanges+=("${1#--}") ;;
    *) usage ;;
  esac
  shift
done
[[ $# -eq 2 ]] || usage
url=${1%/}

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# In a file, so that the key does not appear in the list of processes.
printf 'X-API-KEY: %s\n' "$2" >"$work/key"
user="smoke-$(date +%s)-$$"

status='' body='' checks=0

# send METHOD PATH [CURL OPTION]...: sends a request with the key, and sets status and body.
send() {
  local method=$1 path=$2
  shift 2
  status=$(curl --silent --show-error --max-time 35 --request "$method" --header "@$work/key" \
    --output "$work/body" --write-out '%{http_code}' "$@" "$url$path") || fail "$method $path: no response"
  body=$(<"$work/body")
}

# post PATH JSON
post() {
  send POST "$1" --header 'Content-Type: application/json' --data-binary "$2"
}

fail() {
  local shown
  shown=$(sed -E 's/("apiPrivateKey":")[^"]*/\1…/' <<<"${body:0:2000}")
  printf 'FAILED: %s\n  status %s\n  body   %s\n' "$1" "${status:-none}" "$shown" >&2
  exit 1
}

# expect WHAT STATUS [TEXT IN THE BODY]...
expect() {
  local what=$1 wanted=$2 text
  shift 2
  [[ $status == "$wanted" ]] || fail "$what: expected status $wanted"
  for text in "$@"; do
    [[ $body == *"$text"* ]] || fail "$what: expected $text"
  done
  checks=$((checks + 1))
  printf 'ok  %s\n' "$what"
}

# refused WHAT STATUS ERROR: expects an error of the contract.
refused() {
  expect "$1" "$2" '"success":false' "\"error\":\"$3" '"code":"' '"timestamp":'
}

# value FIELD: prints a text of the body.
value() {
  sed -nE "s/.*\"$1\":\"([^\"]*)\".*/\1/p" <<<"$body"
}

send GET /api/health
expect 'health returns 200' 200 '"success":true'

send GET /api/openapi.json
expect 'the OpenAPI document is served' 200 '"openapi": "3.1.0"'

post /api/wallets "{\"userId\":\"$user\"}"
expect 'a wallet is created' 201 '"success":true' "\"userId\":\"$user\""
wallet=$(value walletId) address=$(value address) made=$body
[[ $wallet =~ ^[0-9a-f-]{36}$ ]] || fail 'walletId is not a UUID'
[[ $address =~ ^0x[0-9a-fA-F]{40}$ ]] || fail 'address is not an address'
[[ $(value publicKey) =~ ^04[0-9a-f]{128}$ ]] || fail 'publicKey is not an uncompressed point'

post /api/wallets "{\"userId\":\"$user\"}"
expect 'the same user has the same wallet' 200
[[ $body == "$made" ]] || fail 'another wallet for the same user'

for name in "$user" "$wallet" "$address" "$(tr '[:upper:]' '[:lower:]' <<<"$address")"; do
  send GET "/api/wallets/$name"
  expect "the wallet is found as $name" 200
  [[ $body == "$made" ]] || fail "another wallet as $name"
done

# The list is up to date within about a second. Wallets of other runs may precede this one.
listed() {
  local cursor='' next try
  for try in 1 2 3 4 5; do
    cursor=''
    while :; do
      send GET "/api/wallets?limit=100$cursor"
      expect 'a page of the list is returned' 200 '"success":true' '"wallets":[' '"nextCursor":'
      [[ $body != *"\"walletId\":\"$wallet\""* ]] || return 0
      next=$(value nextCursor)
      [[ -n $next ]] || break
      cursor="&cursor=$next"
    done
    [[ $try == 5 ]] || sleep 1
  done
  fail "the list does not contain $wallet"
}
listed
send GET '/api/wallets?cursor=x'
refused 'an invalid cursor' 400 'cursor must be'

post "/api/wallets/$wallet/sign" '{"message":"smoke test"}'
expect 'a message is signed' 200 '"success":true' "\"address\":\"$address\""
[[ $(value signature) =~ ^0x[0-9a-f]{130}$ ]] || fail 'signature is not 65 bytes'

# trade EXCHANGE: places a small order far below the market, twice with one id, reads it and cancels it.
trade() {
  local orders=/api/trading/$1/orders id=smoke-$$ made
  local order="{\"walletIdOrAddress\":\"$user\",\"clientOrderId\":\"$id\",\"symbol\":\"BTC\",\"side\":\"BUY\",\"type\":\"LIMIT\""
  post "$orders" "$order,\"quantity\":\"0.001\",\"price\":\"30000\"}"
  if [[ $status == 422 && $body == *'"code":"INSUFFICIENT_FUNDS"'* ]]; then
    expect "$1 checks the margin of an order" 422 '"success":false' "\"clientOrderId\":\"$id\""
    return
  fi
  expect "an order is placed on $1" 200 '"status":"OPEN"' "\"clientOrderId\":\"$id\""
  made=$(value orderId)
  post "$orders" "$order,\"quantity\":\"0.001\",\"price\":\"30000\"}"
  expect "the same order on $1 is not placed twice" 200 "\"orderId\":\"$made\""
  post "$orders" "$order,\"quantity\":\"0.002\",\"price\":\"30000\"}"
  refused "another order on $1 with the same id" 422 ''
  send GET "$orders?walletIdOrAddress=$user&symbol=BTC"
  expect "$1 lists the open order" 200 "\"orderId\":\"$made\""
  send GET "$orders/$id/status?walletIdOrAddress=$user&symbol=BTC"
  expect "$1 shows the order by its id" 200 '"status":"OPEN"'
  send DELETE "$orders/$id?walletIdOrAddress=$user&symbol=BTC"
  expect "the order on $1 is cancelled" 200 '"status":"CANCELED"'
  send DELETE "$orders/$id?walletIdOrAddress=$user&symbol=BTC"
  expect "$1 cancels an order once" 409 '"code":"ORDER_NOT_OPEN"' '"status":"CANCELED"'
}

for exchange in ${exchanges[@]+"${exchanges[@]}"}; do
  path=/api/trading/$exchange/apikey
  post "$path" "{\"walletIdOrAddress\":\"$user\"}"
  if [[ $status == 422 && $body == *'"code":"DEPOSIT_REQUIRED"'* ]]; then
    # The network's response for a wallet without a deposit. It shows that the approval arrived and its signer
    # was recovered.
    expect "$exchange recovers the wallet's signature and requires a deposit" 422 '"success":false'
    continue
  fi
  case $exchange in
    aster) expect 'the wallet is registered with Aster' 200 "\"signerAddress\":\"$address\"" '"createdAt":"' ;;
    hyperliquid) expect 'the wallet is registered with Hyperliquid' 200 "\"mainWalletAddress\":\"$address\"" '"apiWalletAddress":"0x' '"expiryTimestamp":' ;;
  esac
  post "$path" "{\"walletIdOrAddress\":\"$user\"}"
  refused "a second registration with $exchange" 409 'API key already exists for this wallet'
  send GET "$path?walletIdOrAddress=$user"
  expect "the $exchange key is returned without a secret" 200 '"state":"active"' "\"walletAddress\":\"$address\""
  [[ $body != *apiPrivateKey* ]] || fail 'the private key is returned a second time'
  agent=$(value agentAddress)
  trade "$exchange"
  post "$path/rotate" "{\"walletIdOrAddress\":\"$user\"}"
  expect "the $exchange key is rotated" 200 "\"previousAgentAddress\":\"$agent\""
  send DELETE "$path?walletIdOrAddress=$user"
  expect "the $exchange key is revoked" 200 '"message":"API key revoked"'
  send GET "$path?walletIdOrAddress=$user"
  refused "the revoked $exchange key" 404 'API key not found'
done

send GET "/api/trading/policy?walletIdOrAddress=$user"
expect 'the trading policy is returned' 200 '"effective":{' '"ordersPerMinute":'
send GET /api/trading/lighter/orders
refused 'orders on Lighter without a key' 404 'Missing or invalid credentials for Lighter'

post /api/wallets '{}'
refused 'a missing userId' 400 'Missing required parameter: userId'
post /api/wallets ''
refused 'an empty body' 400 'Missing required parameter: userId'
post /api/wallets '{'
refused 'a body that is not JSON' 400 ''
send POST /api/wallets --header 'Content-Type: text/plain' --data-binary '{}'
refused 'a body of another type' 415 ''
{ printf '{"a":"'; head -c 70000 /dev/zero | tr '\0' ' '; printf '"}'; } >"$work/large"
send POST /api/wallets --header 'Content-Type: application/json' --data-binary "@$work/large"
refused 'a body over 64 KiB' 413 ''
send DELETE /api/wallets
refused 'a wrong method' 405 ''
send GET /api/nothing
# `sam local` does not apply the template's gateway responses, and returns its own response.
[[ $url != https://* && $body == *'Missing Authentication Token'* ]] || refused 'an unknown route' 404 ''
send GET "/api/wallets/nobody-$user"
refused 'an unknown wallet' 404 'Wallet not found'
post "/api/wallets/$wallet/sign" '{}'
refused 'a missing message' 400 'Missing required parameter: message'
post "/api/wallets/$wallet/sign" '{"message":"You are signing into Astherus 111111"}'
refused "an exchange's login as a message" 400 ''
post /api/trading/hyperliquid/apikey '{}'
refused 'a missing walletIdOrAddress' 400 'Missing required parameter: walletIdOrAddress'
post /api/trading/aster/apikey "{\"walletIdOrAddress\":\"nobody-$user\"}"
refused 'an unknown wallet with Aster' 404 'Wallet not found'
post /api/trading/lighter/apikey "{\"walletIdOrAddress\":\"$user\"}"
refused 'Lighter' 400 'Lighter API keys are not registered through HyperDEX'
post /api/trading/nowhere/apikey "{\"walletIdOrAddress\":\"$user\"}"
refused 'an unsupported exchange' 400 'Unsupported exchange: nowhere'

# The local stack accepts any key until it has a tenant key.
if [[ $url == https://* ]]; then
  : >"$work/key"
  send GET "/api/wallets/$wallet"
  refused 'a missing key' 403 'Invalid X-API-KEY'
  printf 'X-API-KEY: %s\n' 'unknown-key' >"$work/key"
  send GET "/api/wallets/$wallet"
  refused 'an unknown key' 403 'Invalid X-API-KEY'
fi

printf '%s passed, 0 failed\n' "$checks"
