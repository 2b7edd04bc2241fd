set -euo pipefail

# Success or failure, the group hears of it at once: a new version that does not come up is
# rolled back instead of waited for. An instance that starts later, because load grew, is told that
# nobody waits; that changes nothing.
trap '/opt/aws/bin/cfn-signal --exit-code $? --stack "$STACK" --resource "$RESOURCE" --region "$REGION"' EXIT

# The load balancer encrypts to its targets without checking their certificate; each instance
# makes its own, so that no private key is ever stored or sent.
mkdir --parents /etc/webtier
(
  umask 077
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
    -subj /CN=webtier -keyout /etc/webtier/key.pem -out /etc/webtier/certificate.pem
)

systemctl daemon-reload
systemctl enable --now webtier.service
curl --insecure --silent --show-error --fail --retry 15 --retry-delay 2 --retry-connrefused \
  --max-time 5 https://localhost:8443/health
