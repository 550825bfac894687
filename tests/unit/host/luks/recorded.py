# Copyright (c) 2026 the strata.storage authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Headers as cryptsetup 2.6.1 wrote them: the first bytes of a device, compressed."""

from __future__ import annotations

import base64
import zlib

_TWO = (
    "c-rmTUuYaf90%~z8iJq|eJDtc=$1b9PItF+yL-iIn%>p)?vk2>J(Fk~=XU2Vo4woJ+ugg%Ce#O^5AhELH6n#dXbD9htXM%(F(86q"
    "seKdlp&}K15Jh~EA`zXv#(K7h`k<}&{X85uGdnZC-`w0i9Q=xUVeIs3;>JWre`4KDE!wPwiN7wGrgB>O<ME5{9awnwu3Jl+m9srZ"
    "&#y#JZGLs7uyE|uHyga4qT<mz-@dQ!_`-$d%topA?$^g(>^pqo{XOUPBX2(brGH>>c6dpuh=y!zXDQLtDk(xWmdco_k&;ZgEShR1"
    "O(ik$KeYSQ)Zn+vpB`)V{QS~t?;GE*eQ?W@%b$I`y140O`S3&iGywnr00000z|9Lbi-MXP2EvYcL5yF*$Ya6|q1LnmSxCm?Q-L+d"
    "yA+ZXXyuAWB>qSc`j*G|3Pcpeq%ci`X+C=CF9G2opX4*zHO;4OKFO_A0v7V-c3D-lc$Lm3f}GYw61SOS_>mV{uETpN3sSRTkn(EO"
    "aujk!Tzn7P?2gPU^L8Bl?_)^{R>*uBugRm8I?)ES7DrLk(_~T_QOH2O%`7?VRrM0B4^9@GmN7a$G%*oq6WI|dH#4d26b|wYrE76k"
    "az@l7<(eOsEHz6F&zd$%&ALi+b7{xk<>trjUF9OtXWO~vsM)CbdUl2k#fQar3|*VW%gpol0jt)TbM=kuWYC?hq^PPYcjs$H4y{{8"
    "99wHDY%^-}PVvw4510|U{`wIRF{8vWnO2nrSBG)=IDY$PJl5Gm683ioA9wEm8;5qkoSUoVNWQ&IcOu_+vh6T4V(l)DjS_WOr-int"
    ">>C`<wT41_r|@fZaW<JzTOaVeiQK*_C5?P`#@)M3E#yiAll6vPH~prnn2l;Cs*+1L({P=NRgE*630!AAX+e@@P3y|)a=)SyPUBPY"
    "a|i$c00000000000000000000003}Z8!PC=f2022NtczyO<!z0(|a-h&dIk{dyl_jk{=$KyM5`S4ax7ey!QMj9}dhv`qk$*T-bZ4"
    "eD9VA?)ZA~=Jb)Mc6P-$G)A`e{Im7{{r}m|Z_n1`3r{=~nfa%e&h+;^y!PC?-nr8!E4Qs=hu7{o_v3@O;Q#;t0000GL;XMM|55*s"
    "`hV2_0{{R30000000000000000000009^lm0iMhS5d"
)
_ONE = (
    "c-r#`^$y;(kAX2UwU_}Ps3<AcEyzjC%ri5=DqozDXk==J&jbMw;qY5mW3TF>y|4Au4o!cf6gX9Ef+6FV@Pqr;eD=}koV4?}@$nFo"
    "vs-G6LT)U+sd}sN!H=zP&oVGDzc5NONH$6~PSrI?u}IT3Nwi4SwM;Qj)-_BqN-{_>Pcuz4Gyq$(rtmXJ{k?UERV|;dtxSx(<@Jj3"
    "+cf9c7pC8MHreKPxCpJzpM4dml7oSPe*pu-y|oNP0VW30)HDAeO+D)e($urRAWc2z1JcxU-ylsr?*)*003$S7`~"
)
_ENCRYPTING = (
    "c-rmTZ)h8390%|?mA#k_|Ms1O9lnty?(WGYxm3%R(l$+VT`93m*FTIWx#yD0zf12fX_FEZWcX&_1|s4cec_9tn_K5V*$WXwD>4Kr"
    "Oxc987b*yjp@<Gtd@f7Vw41sLisJY4BI(_8_j`W7=MRCxqfR7}=il}0@U$H8wB6;|CObz-F!cNFdm3s;d1WYf`kvRWz1h4!a)o7g"
    "o&PrYp>gh$T}SK-J6<?(<<h+;F4X9$qi;}SHFf;@0}meSU8ygxUi{&s&z7$SbTLCR0p=GqMfb~8Vg85~&iEybq(v>P2dN}_{)ev8"
    "<ip2K#eV+g$j)nL2iE#0)zfFcJTujNy6ic5_wm)2JOBUy00000+>%gWb-QRfw$QsIi0+3|uP~ukC{_zL5qxg@VcTf%TOrveP<_iI"
    "5`V;YETh7B1X&bCpOB+=j<??Umw?dZFIkLsy=Kt`{*tNdHgou8fP_Pe8>Q8WK!S=WyVtCovFa7aFw6WdWww9OvHg`IHOe7*OJ2N>"
    "g4Uf`CC#th>^JA)6AXu0)Q!orm0H=_wCH9r<{cRn3w33mEHgQkO7Dve#8q|FXs9GrQesYaP@Pm4#z{3B?Gu{3L&@!Ky|PX*BqAzO"
    "XrmfgjJQ|rv^47Qd<@-jA8^0h6$nx&91atyHCpSV#M%R}saDA+luXTS-)Pkgi)Gs5l%|=&0<|=LyJ8upWjJ-AS9J4r%mQ<(UgCe-"
    "EL&pbTg<spX4LAQ91@g5L50X06)6El35klZJ_LW^RiB_2X_ogs)5^D6@t4dR)BNqUggG9Y{9$bIc7j$cRx`}1-HI3Jinl&+op7Du"
    "??lz=Wm+;a?uw}$b`}^dw0r%NRcZ5?Fs=4v1toHGR=QE9MV?aAowzKsZ=QwD;@#MqGyH+M?s=Qx1<h?^dDpUWGM}tUwL(rFp716}"
    "PV`3SNAfgL9aiJsu%z}UB&Lt1#t!uf>zVQQ2IjpXJySh+kW!fx$D+eZCK(!wPUjMh{GuHn3R%-+I5958b+K>jlDK6Z(v~{5Q-n7b"
    "wu8aZs-?0Nm8Xo6ib}0SVlgwRJ~ib`%Y%tYHI`TPiI}~q2og?fQ6(Kc6v!_Q1-u1PiAfU?F*PJjM78lk|9pg4vOGZI;=+x+oiWS0"
    "k#$SS+h)15NeNMuu5!9Iugtkk7Mri~-PqY&C0gct-n8m&>1Nqo$o|g8_ScBJ4x0EC0ssI200000000000000000000fZLT!OsN0F"
    "`TwKKzxwr`o-@L6^|4Fm8n5SHosC@Id*7$op6}m|eQ^1SGhcoF%*FBd7M~pQJml<-&+gxO^3MIW<l0*GE#K_QJITNI{QrUf?EK|d"
    "9=+q^XZL=w=j+wU-9Nrh8^0`D-@W)q?)l3-$)2T`AIAy@00000000-x|Kt2W&i~{5KhFQ-{67Ey00000000000000000000008{^"
    "{RT3s>WB"
)

_ERASING = (
    "c-rmTPly{;90%~FB2_O+5u^oMm|}6w#?DM;Cdo>ro6T-^vq`$U*=+U?rG1&aNoHp<lby*VnXN%fTRlkCiwC7%EIpJ`twM#CBI3bAL9i67q9Pu|dJ"
    "vJSC~d)+{gdu)YfBHUO23~&VBXBU_xt_c%OeC{DmRop{b9$Nj(OWV7CqE)o9r^-Md_dKkFcE^-+%D618-b?>~Q$vy2O>wodfLJgBOmRxH9|0{oU_"
    "9(D~HkN7o-sT$Mg~_V`D8(|>-pee>?G*KOJG$4h5E{@|Tcq`-!iC?^DYiQ|KUBo%{&f)ox4g>aY`SS~_HwBsIBIdypI`O9lA9S@xOIXZge`?p^>*"
    "@$m?@#TRtUs<#6r*C!u00000004OQFdB7j-K^P6_a27zKWc83GTn^sXg1Gu`S*9(>YUdk30(|PRz1RbkJvR!tx~TCfo0h)rcCUzcX#100jA}>WKp"
    "v0HH$R7mrO;mY0bL~@nI?A_cA{S!;2AC@UN*MTW+<cnuga(s2yz9>|j+Vsv!xh;_}AOipwLb7QAae`jxSCF=~xk#P8FKmYa{(Cb}O*J=#AonC^?m"
    "#2KwgXJvIF*-XmyJTbzf$`~8a$Y^XL+Z=65k!?)N8<4wctwQ`AsTCh(Bb;=tSX_u>!~9(@mSz+Zsg$mW5$X(Am9&*i<r-SJoJ|aIrPyRl?JMY!GE"
    "r)i_Cm3Ef4HU8+Sv#^7l|yJdQJ+7Vu<%!7DJQERMu>#a)aP(D%VVFF)NYdTkV%Dx>$`BiE~{{#VoGAUsNrxpM|n1rqv);(QB<*s%fb;m+5Bx=xe4"
    "%{Tl3P`NNhf)VTiZveaQaIZg_P!~F8eD!K-#sIp(!`mS1o63uI5Z!~#wK@L*eR_on2OP9M-!>?RBt4Ho)6rGg30!%XnB5O`HShZ+fH65GTxir=PQ"
    "c<oCO;HV^dvUe=sV-6b`iX0={%afIwD-Wy<x@TF)q3Y`d_Vf9>?lu%ozc9Rbo*o4c(Ny-F*q_%@2g6)BbqQ4n{3Kfamr=4F-wto@69C(PKnJrgFV"
    "R{b)&ugbZ!Ub%!<529gFF`Syduaaw*}On!gFHTmd)CgIk@4Us?XPa!K{*b54cCQ|VHE#2jp9+(M7MqrXYSdX$|QkLv?+uVF=pdQ<X>TrxAskr8n?"
    "u1e$ibSc#zP>h(HY$gVUY;|l%9JLdQBRgBSrqb+uE}>iH!mrBZR!NA0C|%pJ`XoY$oGAx-(v57x>6PQuE~X<BRG3udcyX|l3`BBKw=bSvk%c1Wvz"
    "5l6#Fyn#N|Xn3xmZ;m*Xz-EK&ovW&RA0!E#j2yrjcIQ>15MT)RLdejBOgbmUcFtpWo<~@@cnAVZr0yvgoYiZAR_Qr9zA%@m9C%=WZIhYS3VN=L*("
    "&e^Iya0|o#900000000000000000000;2xA6%BAkc`TtfSeyH=|bI<L6Jv+DI^s%1~27c)YoPYAyw=Vv6?%gkvzn}j$y?e7h&28C|$*<k?O6p7fy"
    "Js%1XZIfZ=8+5Mp4fQy&Yu6@{=c2SvDr%}_x-i+?BKy;S55{_Wa^J@dOGx@l92YldY{xeJc$(!00000002Im|Ht`%od3u9f1Llv`G1`M$N7H%000"
    "00000000000000000008*!`x|{qT-y"
)

_ERASED = (
    "c-rmTUx*t;90%}I&{~S9^+8%_3tKFnmvFm#yPM={rI*WH?sA*lUDMq4?kMf-W;WSovzyyL$>nOmiq(QteGwJvgA^Z%`1e6-Q4tXzM9@-f#a0Rhp}"
    "tszRs>sd_x_~0Yi;R6{e$1nLm)FdGr!-=>;wWM=Z3P!K54tNZO+!V1*_U_ky9kRDE)Q)DBHgN{gp57fAz{kha=}#Cog~N?PpgUJo(1Em#2TctNXo"
    "s+8<qaWX+M}73qt|-}-c4`nPYkZrpu(^`^DIKKs#UAH4k`QP_wU<Ag9TaeP>iq<mOWq)1p$A`xC-xhNsAw*R5Wrj@7e9vwKaa?J}bfBc+$DScKIS"
    "H1H6<_+iE1D`+e`h#r%00000006$dOo`SV!*U&_doRNUA8x%unQq4LN)FG2g8E&KKI<2C@gat2%O2tUM;zDIE7b2nU|BZA6p2&xYv=zGU>bfSo06"
    "7hHmUiIEKPH$>wo2AY?PCNZstZ|xGs*31S3;Zwd)mEw@km3P$xX&I^l{zbW;+R1SSdoAf<e3Xcfi(9(1xam=L48)Fwfnez@FRxDGLbFiNJ9lx0H`"
    "qtqLzXlXko=W3-$F`FFX3h{}!-lrJRBGKFlXA9Ht2jqj{7E^0xBk)`_8g0o&>Jr5+J}6lTO)XNj<ap)l1m{rIwd{qgM2>GX8`*SWHkKsLg_yFHUt"
    "XWrZNH!SY11sbM(n&_TCsJ@*4;YO%?8oCR*434u(uHmTPRa=ehaWIlepMnGdWI*L?V3aV&&^5DeG!5vDIB}jgpdI$X;*pR7DL_$I+|ZH%gbgUBfT"
    "kJIhB7F`7XN{sc@h3Q<d5C0wy-Rku8c*}1sX|Inmd8=9t@#PH*41WR3@&b15I-2GQy?x~%v>pbO8^v+v&Ir=A^7*9vMZR1v|-XAZGrFzCQCPxOUe"
    "HCeXv?OegPt2%xezMMPVHU&k+s&pFufS%#!Jbr()?>Z>bat3>R#_d^x5tg%tS*sBwUDe^rRWxB+45g6iTSWw^9ZJuzolH{9%I%klZ2cujE`D_Gnu"
    ";5qYn4a5V0C#cZ?;B0kzk(V?({Nx+Is(p48~5IFit%vGH_4?(fjdcs(_f92ByZ?L*==C#iX=*V!qj*|}W0Zk7wbESH-lAqt{&^|<Pj2qkK!*wK@&"
    "WourqnxIZT9o<2N30+O(2Mei=Xf9UoOQe@%p^4+!a&1uJi)uj@)qz|tUQx%4YAn$qxt${!doojsdIe|3OwS*4s%2_=A;@KqW0|`ak2Rj3JLMMhX_"
    "iY7!5387blUSzqUOm`CT5=aTe}|QZkdK|(s1+G3Rn4HM>p_`3;+NC00000000000000000000aAVn_ocwp(|8FRXL+$q+f8yzvva@TCz4_C@jte~"
    "<Cm#9bweuH`zjG>e>BJA|-5ZT5ZqugB_=*kB%ikGiH~+qd-FN8B{U?t<y#CAEd;fpye|G(9cU(Dr_Vgcz&V2pk&j%_O&wcgG(a^oZI<9s!-F{))s"
    "bTDJ00000000Q!{y*;j<NiPH|Kt8Y?*HTdKL7v#00000000000000000000z`x(0>NlgF"
)


def _unpacked(text: str) -> bytes:
    return zlib.decompress(base64.b85decode(text))


#: LUKS2 with the label ``vault`` and two keyslots: both copies, of 16 KiB each.
TWO = _unpacked(_TWO)
#: LUKS1 with one keyslot.
ONE = _unpacked(_ONE)
#: LUKS2 on a device whose data are being encrypted in place.
ENCRYPTING = _unpacked(_ENCRYPTING)
#: LUKS2 whose data are encrypted anew, all of them: the keyslot of the old key was being erased, and was.
ERASING, ERASED = _unpacked(_ERASING), _unpacked(_ERASED)
