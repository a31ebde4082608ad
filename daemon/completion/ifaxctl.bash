# SPDX-License-Identifier: LGPL-2.1-or-later
# bash completion for ifaxctl(1)

_ifaxctl_column() {
	ifaxctl "$@" 2>/dev/null | awk 'NR > 1 { print $1 }'
}

# A job has two lines there, the second of words.
_ifaxctl_queue() {
	ifaxctl queue list "$@" 2>/dev/null | awk '$2 ~ /^(send|mail|notice)$/ { print $1 }'
}

_ifaxctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]}
	local verb=${COMP_WORDS[1]} words=

	case $prev in
	--user) words=$(_ifaxctl_column users) ;;
	--to) words=$(_ifaxctl_column recipients) ;;
	--resolution) words="standard fine superfine" ;;
	--state) words="queued sending held scanning" ;;
	--kind) words="plain moved gone" ;;
	--accepts) words="s f-mr f" ;;
	--method) words="none openpgp smime" ;;
	--pop3-tls) words="none starttls tls" ;;
	--auto-receive|--auto-print|--leave-on-server|--receive-text|--collect-after-send|--encrypt|--must-encrypt)
		words="yes no" ;;
	--at-end) words="print notice" ;;
	--config|--password-file) COMPREPLY=($(compgen -f -- "$cur")); return ;;
	esac
	if [[ -z $words ]]; then
		if ((COMP_CWORD == 1)); then
			words="status boards counters self-test send jobs queue kept users aliases panel recipients keys collect config version --config --help --version"
		else
			case $verb in
			boards|counters)
				words=$(ifaxctl boards 2>/dev/null |
					sed -n 's/^board .*, serial \(.*\), driver .*/\1/p') ;;
			send) words="--user --to --subject --resolution --board --receipt --wait" ;;
			jobs)
				if ((COMP_CWORD == 2)); then
					words="list show wait save cancel retry remove"
				elif [[ ${COMP_WORDS[2]} == list ]]; then
					words="--all --user"
				else
					words=$(_ifaxctl_column jobs list --all)
				fi ;;
			queue)
				if ((COMP_CWORD == 2)); then
					words="list show hold release retry delete"
				elif [[ ${COMP_WORDS[2]} == list ]]; then
					words="--host --state --limit"
				elif [[ ${COMP_WORDS[2]} == release ]]; then
					words=$(_ifaxctl_queue --state held)
				else
					words=$(_ifaxctl_queue)
				fi ;;
			kept)
				if ((COMP_CWORD == 2)); then
					words="list print remove"
				else
					words="--user --password-file --admin"
				fi ;;
			users)
				if ((COMP_CWORD == 2)); then
					words="list show add edit remove passwd export import"
				elif [[ ${COMP_WORDS[2]} == @(export|import) ]]; then
					COMPREPLY=($(compgen -f -W --dry-run -- "$cur"))
					return
				elif ((COMP_CWORD == 3)); then
					words=$(_ifaxctl_column users)
				elif [[ ${COMP_WORDS[2]} == passwd ]]; then
					words="--panel --remove"
				else
					words="--name --address --pop3-host --pop3-port --pop3-tls
						--pop3-login --password-file --auto-receive --auto-print
						--interval --keep-days --at-end --leave-on-server
						--receive-text --collect-after-send --encrypt"
				fi ;;
			aliases)
				if ((COMP_CWORD == 2)); then
					words="list show add edit remove"
				elif ((COMP_CWORD == 3)) && [[ ${COMP_WORDS[2]} != add ]]; then
					words=$(_ifaxctl_column aliases)
				else
					words="--title --kind $(_ifaxctl_column users)"
				fi ;;
			panel) words="--user --plain" ;;
			recipients)
				if ((COMP_CWORD == 2)); then
					words="list set remove"
				elif ((COMP_CWORD == 3)); then
					words=$(_ifaxctl_column recipients)
				else
					words="--name --accepts --method --key --must-encrypt --one-touch"
				fi ;;
			keys)
				if ((COMP_CWORD == 2)); then
					words="list import export remove make"
				else
					words="--user --password-file"
					if [[ ${COMP_WORDS[2]} == import ]]; then
						COMPREPLY=($(compgen -f -- "$cur"))
						return
					fi
				fi ;;
			collect) words="$(_ifaxctl_column users) --wait" ;;
			config) words="check" ;;
			esac
		fi
	fi
	COMPREPLY=($(compgen -W "$words" -- "$cur"))
}
complete -F _ifaxctl ifaxctl
