set -euo pipefail

# Everything it prints is kept, and the end of it goes into the stack's events where it fails.
log=/var/log/webtier-install.log
touch "$log"
exec > >(tee --append "$log") 2>&1

# There is one launch to complete: an instance that was in service is not asked again.
in_service=/etc/webtier/in-service

# Success or failure, CloudFormation hears of it at once: a new version that does not come up is
# rolled back instead of waited for. An instance that starts later, because load grew, is told that
# nobody waits; that changes nothing. One that cannot start is given up and replaced by another.
report() {
  local status=$?
  if ((status == 0)); then
    set -- --success true
  else
    journalctl --unit webtier.service --lines 15 --no-pager --output cat || true
    sleep 1 # The log is written by another process.
    set -- --success false --reason "$(tail --bytes 900 "$log" | tr --complement '[:print:]' ' ')"
  fi
  /opt/aws/bin/cfn-signal "$@" --stack "$STACK" --resource "$RESOURCE" --region "$REGION" || true
  if ((status != 0)) && [[ ! -e $in_service ]]; then
    complete ABANDON || true
  fi
}
trap report EXIT

# Ends the wait of the launch hook.
complete() {
  aws autoscaling complete-lifecycle-action --region "$REGION" --auto-scaling-group-name "$GROUP" \
    --lifecycle-hook-name "$HOOK" --instance-id "${instance:-}" --lifecycle-action-result "$1"
}

metadata() {
  curl --silent --show-error --fail --retry 5 --header "X-aws-ec2-metadata-token: $token" \
    "http://169.254.169.254/latest/meta-data/$1"
}
token=$(curl --silent --show-error --fail --retry 5 --request PUT \
  --header 'X-aws-ec2-metadata-token-ttl-seconds: 300' http://169.254.169.254/latest/api/token)
instance=$(metadata instance-id)
zone=$(metadata placement/availability-zone)

# Each version has a folder of its own, named by its checksum and only there when it is whole.
release=/opt/webtier/releases/$SHA256
if [[ ! -d $release ]]; then
  mkdir --parents /opt/webtier/releases
  scratch=$(mktemp --directory /opt/webtier/releases/.new-XXXXXX)
  aws s3 cp --region "$REGION" --no-progress "s3://$BUCKET/$KEY" "$scratch/artifact"
  echo "$SHA256  $scratch/artifact" | sha256sum --check
  mkdir "$scratch/release"
  tar --extract --gzip --no-same-owner --file "$scratch/artifact" --directory "$scratch/release"
  chmod --recursive go+rX,go-w "$scratch/release"
  if [[ -e $scratch/release/install ]]; then
    (cd "$scratch/release" && ./install)
  fi
  mv --no-target-directory "$scratch/release" "$release"
  rm --recursive --force "$scratch"
fi
ln --symbolic --force --no-dereference "$release" /opt/webtier/current

# The load balancer encrypts to its targets without checking their certificate; each instance makes
# its own, so that no private key is ever stored or sent.
mkdir --parents /etc/webtier
if [[ ! -s /etc/webtier/certificate.pem ]]; then
  (
    umask 077
    openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -days 3650 \
      -subj /CN=webtier -keyout /etc/webtier/key.pem -out /etc/webtier/certificate.pem
  )
fi

cat >/etc/webtier/environment <<END
APPLICATION_VERSION=${SHA256:0:12}
AVAILABILITY_ZONE=$zone
AWS_REGION=$REGION
DATABASE_SECRET_ARN=$DATABASE_SECRET_ARN
INSTANCE_ID=$instance
PGDATABASE=$PGDATABASE
PGHOST=$PGHOST
PGPORT=$PGPORT
PORT=$PORT
END

systemctl daemon-reload
systemctl enable webtier.service
systemctl restart webtier.service
curl --insecure --silent --show-error --fail --retry 30 --retry-delay 2 --retry-all-errors \
  --max-time 5 --output /dev/null "https://localhost:$PORT$HEALTH_PATH"

# Now it may get requests. The group may still be on its way to the hook.
if [[ ! -e $in_service ]]; then
  for attempt in {1..12}; do
    complete CONTINUE && break
    ((attempt < 12))
    sleep 5
  done
  touch "$in_service"
fi

# CloudFormation ends an old instance once the load balancer has this one instead.
timeout 180 aws elbv2 wait target-in-service --region "$REGION" \
  --target-group-arn "$TARGET_GROUP" --targets "Id=$instance"
