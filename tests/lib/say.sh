# SPDX-License-Identifier: MIT
# Sourced by scripts that are tests. They set `name`, and leave what a step printed in $scratch/out.
failed=0

say() { # 0 or not, title
	if [ "$1" = 0 ]; then
		echo "ok $name $2"
	else
		echo "not ok $name $2: $(tail -n 8 "$scratch/out" 2>/dev/null | tr '\n' '|')"
		failed=1
	fi
}
