# What is there before the modules is not their leak.
rmmod faxsim faxboard fax
echo clear >/sys/kernel/debug/kmemleak
for module in $modules; do insmod "/mods/$module.ko"; done
