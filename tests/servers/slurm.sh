#!/usr/bin/env bash
# Slurm as a cluster of one node on this machine, for the tests: munge, slurmctld and slurmd of Debian's packages.
#   slurm.sh install | start DIR | slurmd DIR | stop DIR
# `slurmd` starts the node's daemon again after it died. DIR holds configuration, state, logs and process ids.
# Needs root. The configuration is found through SLURM_CONF=DIR/slurm.conf.
set -euo pipefail
what=$1
dir=${2:-}

daemon() {
    SLURM_CONF=$dir/slurm.conf "$@"
}

stop() {
    local name pid
    for name in slurmd slurmctld munged; do
        pid=$(cat "$dir/$name.pid" 2>/dev/null || true)
        [ -z "$pid" ] || kill "$pid" 2>/dev/null || true
    done
}

case $what in
install)
    command -v slurmctld slurmd munged >/dev/null && exit 0
    apt-get update -qq
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq slurm-wlm munge >/dev/null
    # the packages start daemons with a configuration of their own where there is an init
    pkill -x slurmctld || true
    pkill -x slurmd || true
    ;;
start)
    host=$(hostname -s)
    cores=$(nproc)
    mkdir -p "$dir"/{state,spool,log} /run/munge
    chmod 755 "$dir"
    chown munge: /run/munge
    key=/etc/munge/munge.key
    [ -s $key ] || (umask 077 && dd if=/dev/urandom of=$key bs=1024 count=1 status=none && chown munge: $key)
    cat >"$dir/slurm.conf" <<CONF
ClusterName=one
SlurmctldHost=$host(127.0.0.1)
SlurmctldPort=16817
SlurmdPort=16818
AuthType=auth/munge
AuthInfo=cred_expire=10
SlurmUser=root
SlurmdUser=root
StateSaveLocation=$dir/state
SlurmdSpoolDir=$dir/spool
SlurmctldPidFile=$dir/slurmctld.pid
SlurmdPidFile=$dir/slurmd.pid
SlurmctldLogFile=$dir/log/slurmctld.log
SlurmdLogFile=$dir/log/slurmd.log
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
JobAcctGatherType=jobacct_gather/none
AccountingStorageType=accounting_storage/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core
SwitchType=switch/none
MpiDefault=none
ReturnToService=2
JobRequeue=1
KillWait=2
MinJobAge=600
NodeName=$host NodeAddr=127.0.0.1 CPUs=$cores RealMemory=$(awk '/MemTotal/ {print int($2 / 1024 * 0.8)}' /proc/meminfo) State=UNKNOWN
PartitionName=main Nodes=$host Default=YES MaxTime=INFINITE State=UP
CONF
    if ! munge -n >/dev/null 2>&1; then
        su -s /bin/sh munge -c 'munged --force'
        cp /run/munge/munged.pid "$dir/munged.pid"
    fi
    daemon slurmctld
    daemon slurmd
    for _ in $(seq 30); do
        SLURM_CONF=$dir/slurm.conf timeout 5 srun --ntasks=1 true 2>/dev/null && exit 0
        sleep 1
    done
    tail -n 20 "$dir"/log/*.log >&2
    exit 1
    ;;
slurmd)
    daemon slurmd
    ;;
stop)
    stop
    ;;
*)
    echo "usage: slurm.sh install | start DIR | slurmd DIR | stop DIR" >&2
    exit 2
    ;;
esac
