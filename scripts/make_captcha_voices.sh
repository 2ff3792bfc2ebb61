#!/bin/sh
# Makes the voices of the audio captcha: six speakers, each with a pitch and a pace of its own, for each symbol of its
# alphabet.
#
# The files are committed, so that only whoever changes the alphabet needs this. It wants Debian's espeak-ng
# and sox. Letters come with a word, as people spell on the telephone in Colombia ("eme de María"): the names
# alone (efe, ele, eme) are hard to tell apart at 8 kHz.
set -eu

voices="$(dirname "$0")/../mipres/captcha/voices"
mkdir -p "$voices"
rm -f "$voices"/*.wav

say() { # symbol, words
    record "$1" "$2" f1 es-419+f1 55 140
    record "$1" "$2" f2 es-419+f2 60 150
    record "$1" "$2" f4 es-419+f4 70 130
    record "$1" "$2" m0 es-419 42 145
    record "$1" "$2" m2 es-419+m2 30 135
    record "$1" "$2" m3 es-419+m3 50 155
}

record() { # symbol, words, speaker, espeak voice, pitch, words a minute
    # The -w file is cut of its silence, brought to the same loudness (by its mean, since the peaks of a deep voice are
    # higher) and reduced to what the server joins: 8 kHz, 8-bit unsigned, mono. The short fades keep the joints from
    # clicking.
    espeak-ng -v "$4" -p "$5" -s "$6" -w "$voices/raw.wav" "$2"
    sox "$voices/raw.wav" -r 8000 "$voices/cut.wav" \
        silence 1 0.01 0.5% fade 0.01 reverse silence 1 0.01 0.5% fade 0.02 reverse norm -3
    gain=$(sox "$voices/cut.wav" -n stat 2>&1 | awk '/RMS +amplitude/ { print 0.105 / $3 }')
    sox -v "$gain" "$voices/cut.wav" -b 8 -c 1 -e unsigned-integer -D "$voices/$1-$3.wav"
    rm "$voices/raw.wav" "$voices/cut.wav"
}

say 2 "dos"
say 3 "tres"
say 4 "cuatro"
say 5 "cinco"
say 6 "seis"
say 7 "siete"
say 8 "ocho"
say 9 "nueve"
say F "efe, de Francia"
say H "hache, de Honda"
say J "jota, de Jamundí"
say K "ka, de kilo"
say L "ele, de Leticia"
say M "eme, de Medellín"
say P "pe, de Pasto"
say R "erre, de Roma"
say X "equis, de saxofón"
say Y "i griega, de Yopal"
